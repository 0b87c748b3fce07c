"""Small articles, configs and runs made in memory, and the check of an error message."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from sitrep.articles import Article, Source, Span
from sitrep.calibration import Calibration
from sitrep.config import NER, DataConfig, TaskConfig, TrainConfig, WindowsConfig, load
from sitrep.errors import InputError
from sitrep.formats.annotated import parse_marks
from sitrep.runs import Run

ROOT = Path(__file__).parents[1]
AS_IT_IS = Calibration(20, 20, 1.0, None, None, None)  # leaves scores as they are
LABELS = ("PERSON", "LOCATION", "ARMED_GROUP")


def make_article(article_id: str = "a", marked: str = "Rain fell.", **fields: Any) -> Article:
    """Return an article whose mentions are marked as in annotated Markdown: `[Gao](LOCATION)`."""
    text, spans = parse_marks(marked, Source("test"))
    return Article(article_id, text, spans, **fields)


def new_article(n: int, **changes: Any) -> Article:
    """Return a labelled article, for each number another that is no near-duplicate; its labels are those of `tiny.own_data`."""
    text = f"Envoys {n} met Leila Rahim in Gao {n} to discuss truce {n} with the River Army on Friday {n} of that month."
    spans = tuple(
        Span(text.index(surface), text.index(surface) + len(surface), label)
        for surface, label in (("Leila Rahim", "PERSON"), ("Gao", "LOCATION"), ("River Army", "ARMED_GROUP"))
    )
    labels = {"topics": ("diplomacy",), "region": ("west-africa",)}
    return dataclasses.replace(Article(f"new-{n}", text, spans, labels), **changes)


def make_task(kind: str = NER, labels: Sequence[str] = LABELS, field: str | None = None, name: str = "task") -> TaskConfig:
    thresholds = "fixed" if kind in ("multi-label", "binary") else None
    return TaskConfig(name, kind, field, list(labels), WindowsConfig(max_tokens=32, overlap=8), None if kind == NER else "mean", thresholds)


def make_data(path: Any = "data", **changes: Any) -> DataConfig:
    shares = {"train": 0.6, "dev": 0.2, "test": 0.2}
    fields = {
        "name": "own", "path": str(path), "format": None, "text_dir": None, "upstream": None, "sha256": {},
        "labels": {"entities": list(LABELS)}, "drop_labels": [], "splits_path": None, "split_by": "stratified",
        "split_shares": shares, "split_seed": 1, "stratify_by": ["topics"],
    }  # fmt: skip
    return DataConfig(**{**fields, **changes})


def train_options(**changes: Any) -> dict[str, Any]:
    """Return the plain container of a valid `TrainConfig`; `task__kind="ner"` changes the key `task.kind`."""
    options: dict[str, Any] = {
        "data": yaml.safe_load((ROOT / "configs/data/articles.yaml").read_text()),
        "cv": {"folds": None, "fold": None},
        "distil": None,
        "distil_from": None,
        "seed": 1,
        "target_precision": 0.9,
        "strict": False,
        "device": "cpu",
    }
    windows = {"max_tokens": 32, "overlap": 8}
    options["task"] = {
        "name": "ner",
        "kind": "ner",
        "field": None,
        "labels": list(LABELS),
        "windows": windows,
        "pooling": None,
        "thresholds": None,
        "held_back": None,
        "leave_out": None,
    }
    options["model"] = {
        "name": "lookup",
        "kind": "lookup",
        "path": None,
        "package": None,
        "sha256": None,
        "head": None,
        "case": None,
        "attention_dropout": None,
        "init_from": None,
        "tfidf": None,
        "layers": None,
    }
    options["trainer"] = yaml.safe_load((ROOT / "configs/trainer/ner.yaml").read_text())
    for rate in ("learning_rate", "head_learning_rate"):
        options["trainer"][rate] = float(options["trainer"][rate])
    options |= {"distil_from": None, "distil": None}
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = options
        for parent in parents:
            node = node[parent]
        node[last] = value
    return options


def command_options(command: str, **values: Any) -> dict[str, Any]:
    """Return the plain container of configs/<command>.yaml, with `values` for what must be given."""
    options = yaml.safe_load((ROOT / "configs" / f"{command}.yaml").read_text())
    return {key: value for key, value in {**options, **values}.items() if key != "defaults"}


def make_run(path: Path, **changes: Any) -> Run:
    """Return a run that has begun, with the options of `train_options`."""
    run = Run(path)
    run.begin(load(TrainConfig, train_options(**changes)), data_sha256="0" * 64)
    return run


@contextmanager
def refused(*fragments: str) -> Iterator[None]:
    """Demand an `InputError` whose message holds all `fragments`."""
    with pytest.raises(InputError) as caught:
        yield
    message = str(caught.value)
    missing = [fragment for fragment in fragments if fragment not in message]
    assert not missing, f"{missing} not in: {message}"


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write name -> content below `folder`, which is returned."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def texts(**size: int) -> st.SearchStrategy[str]:
    """Any Unicode, with much of what breaks readers: brackets, backslashes, line ends, emoji, Arabic, combining marks."""
    awkward = "[]()\\\r\n\t \u2028\x85\ufeff🚁👩🏽\u200d🚒غزةe\u0301-#"
    return st.text(st.one_of(st.sampled_from(awkward), st.characters(exclude_categories=["Cs"], exclude_characters="\0")), **size)


@st.composite
def flat_spans(draw: st.DrawFn, length: int, labels: Sequence[str] = LABELS) -> list[tuple[int, int, str]]:
    """Sorted (start, end, label) that do not overlap, in [0, length); neighbours may touch."""
    cuts = sorted(draw(st.sets(st.integers(0, length), max_size=10)))
    pieces = itertools.pairwise(cuts)
    chosen = [piece for piece in pieces if draw(st.booleans())]
    return [(start, end, draw(st.sampled_from(labels))) for start, end in chosen]
