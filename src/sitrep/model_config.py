"""The part of the schema that says what reads: an encoder with its head, or a baseline; and what a student takes (see config.py)."""

from __future__ import annotations

from dataclasses import dataclass

from sitrep.errors import did_you_mean, require


@dataclass(frozen=True)
class TfidfConfig:
    """The word counts of the tfidf baseline, and its logistic regression."""

    max_ngram: int
    min_articles: int
    sublinear: bool
    balanced: bool
    inverse_penalty: float

    def __post_init__(self) -> None:
        for name in ("max_ngram", "min_articles", "inverse_penalty"):
            require(getattr(self, name) > 0, f"model.tfidf.{name}={getattr(self, name)} must be positive")


@dataclass(frozen=True)
class ModelConfig:
    """What reads: an encoder (from a pip package, a folder or a hub) with a head, or a baseline (lookup, tfidf).

    case: whether the encoder is told the case of words; None: if it has learnt it, or its tokenizer drops it and the task is no class field
    attention_dropout: the share of attention weights dropped in training; None: as the encoder's own config has it
    layers: the layers of the encoder that are kept, counted from 0 at the embeddings; None: all
    """

    name: str
    kind: str
    path: str | None
    package: str | None
    sha256: str | None
    head: str | None
    case: bool | None
    attention_dropout: float | None
    init_from: str | None
    tfidf: TfidfConfig | None
    layers: list[int] | None = None

    def __post_init__(self) -> None:
        kinds = ("encoder", "lookup", "tfidf")
        require(self.kind in kinds, f"model.kind={self.kind!r} is unknown{did_you_mean(self.kind, kinds)}")
        require(
            self.attention_dropout is None or 0 <= self.attention_dropout < 1,
            f"model.attention_dropout={self.attention_dropout} is a share: 0 <= attention_dropout < 1, or null for the encoder's own",
        )
        require(self.kind == "encoder" or not self.init_from, f"model.init_from={self.init_from}: a {self.kind} model has no encoder")
        self._check_layers()
        n_sources = bool(self.path) + bool(self.package)
        require(
            self.kind != "encoder" or n_sources == 1 or (bool(self.init_from) and not n_sources),
            "an encoder needs model.path or model.package, and not both; or model.init_from alone",
        )
        require(
            (self.kind == "tfidf") == bool(self.tfidf),
            f"model.kind={self.kind}: model.tfidf is for kind tfidf, and for no other",
        )

    def _check_layers(self) -> None:
        if self.layers is None:
            return
        require(self.kind == "encoder", f"model.layers={self.layers}: a {self.kind} model has no layers; leave it out")
        require(
            bool(self.layers) and min(self.layers) >= 0 and self.layers == sorted(set(self.layers)),
            f"model.layers={self.layers} must name one layer or more, counted from 0, each once and in rising order, such as [0,2,5]",
        )


@dataclass(frozen=True)
class DistilConfig:
    """How a student learns from its teacher's scores (Hinton et al. 2015).

    temperature: what the scores of both are divided by; above 1 it shows what the teacher holds possible beside what it would say
    weight: the share of the loss that the teacher has; the labels have the rest
    """

    temperature: float
    weight: float

    def __post_init__(self) -> None:
        require(self.temperature > 0, f"distil.temperature={self.temperature} must be positive")
        require(0 < self.weight <= 1, f"distil.weight={self.weight} is the teacher's share of the loss: 0 < weight <= 1")
