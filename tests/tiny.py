"""Small things for tests that train: encoders with random weights, tokenizers of every kind, a corpus made from templates."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import hydra
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    BertConfig,
    DebertaV2Config,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    set_seed,
)  # fmt: skip

from sitrep import config as schemas
from sitrep.backends import TorchBackend
from sitrep.formats import read_articles
from sitrep.models import Model
from sitrep.prediction import EncoderReader
from sitrep.shell import CONFIGS, quote_path, schema_of

ROOT = Path(__file__).parents[1]
ENTITIES = ("PERSON", "ARMED_GROUP", "LOCATION", "DATE")
TOPICS = ("bombing", "kidnapping", "diplomacy")
REGIONS = ("west-africa", "south-asia")

PLACES = {"west-africa": ("Gao", "Ségou", "Mopti", "Diffa"), "south-asia": ("Quetta", "Khost", "Multan", "Ghazni")}
PEOPLE = ("Amina Sow", "Tariq Mirza", "Paul Okoro", "Leila Rahim")
GROUPS = ("Desert Front", "Red Banner", "River Army")
DAYS = ("Monday", "Tuesday", "Friday")
SENTENCES = {
    "bombing": ("A bomb planted by the {group} exploded in {place} on {day}.", "The blast in {place} tore through a bus, {person} said."),
    "kidnapping": ("Gunmen of the {group} abducted a nurse near {place} on {day}.", "Her captors want a ransom, {person} said in {place}."),
    "diplomacy": ("Envoys met {person} in {place} on {day} to discuss a truce.", "The talks with the {group} go on in {place}."),
}


def compose(command: str, *arguments: str):
    """Return the checked config of `command`, as its entry script would; torch predicts unless told otherwise: exporting takes seconds."""
    if command == "predict" and not any(argument.startswith("backend=") for argument in arguments):
        arguments = (*arguments, "backend=torch")
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        composed = hydra.compose(command, [quote_path(argument) for argument in arguments])
        return schemas.load(schema_of(command, composed), composed)


def write_corpus(folder: Path, n_articles: int = 20, seed: int = 0) -> Path:
    """Write annotated Markdown articles, the last one longer than any window of `SMALL`."""
    folder.mkdir(parents=True)
    draw = random.Random(seed)
    for number in range(n_articles):
        topic, region = TOPICS[number % len(TOPICS)], REGIONS[number % len(REGIONS)]
        n_rounds = 12 if number == n_articles - 1 else 1
        paragraphs = [_fill(sentence, region, draw) for _ in range(n_rounds) for sentence in SENTENCES[topic]]
        attack = str(topic != "diplomacy").lower()
        front = f"id: art-{number:02}\ndate: 2020-01-{number + 1:02}\nregion: {region}\ntopics: [{topic}]\nattack: {attack}"
        (folder / f"art-{number:02}.md").write_text(f"---\n{front}\n---\n" + "\n\n".join(paragraphs) + "\n", encoding="utf-8")
    return folder


def _fill(sentence: str, region: str, draw: random.Random) -> str:
    return sentence.format(
        place=f"[{draw.choice(PLACES[region])}](LOCATION)",
        person=f"[{draw.choice(PEOPLE)}](PERSON)",
        group=f"[{draw.choice(GROUPS)}](ARMED_GROUP)",
        day=f"[{draw.choice(DAYS)}](DATE)",
    )


SMALL = ("task.windows.max_tokens=48", "task.windows.overlap=8", "device=cpu", "trainer.batch_tokens=192")


def own_data(corpus: Path) -> list[str]:
    """Return the arguments that declare a corpus of `write_corpus`."""
    labels = {"entities": ENTITIES, "topics": TOPICS, "region": REGIONS}
    return ["data=own", f"data.path={corpus}", *(f"data.labels.{field}=[{','.join(names)}]" for field, names in labels.items())]


SIZES = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64}
FAMILIES = {"wordpiece": BertConfig, "byte-bpe": RobertaConfig, "byte-bpe-prefix": ModernBertConfig, "unigram": DebertaV2Config}


def write_encoder(folder: Path, kind: str = "wordpiece", *, mask_token: str | None = None, n_layers: int = 2) -> Path:
    """Write an untrained encoder of thin layers, with its tokenizer, as the family of that kind of tokenizer has them."""
    tokenizer = train_tokenizer(kind, project_sentences())
    if mask_token:
        tokenizer.add_special_tokens({"mask_token": mask_token})
    set_seed(0)
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "cls", "sep")}
    network = AutoModel.from_config(FAMILIES[kind](vocab_size=len(tokenizer), **SIZES, **special, num_hidden_layers=n_layers))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def project_sentences() -> list[str]:
    """Return the first sentences of the project's own corpus."""
    return [article.text[:400] for article in read_articles(ROOT / "data" / "articles" / "sahel")]


KINDS = ("wordpiece", "byte-bpe", "byte-bpe-prefix", "unigram")


def train_tokenizer(kind: str, texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Train a tokenizer such as BERT (`wordpiece`), GPT-2 (`byte-bpe`), RoBERTa (the same, a space put in front) or T5 (`unigram`) have."""
    unk, pad, cls, sep = special = ["[UNK]", "[PAD]", "[CLS]", "[SEP]"]
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token=unk))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    elif kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token=unk, show_progress=False)
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind.endswith("prefix"))
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    template = "$A [SEP]" if kind == "unigram" else "[CLS] $A [SEP]"
    ids = [(token, tokenizer.token_to_id(token)) for token in (cls, sep)]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=unk, pad_token=pad, cls_token=cls, sep_token=sep)


def torch_reader(model: Model) -> EncoderReader:
    return EncoderReader(model, TorchBackend(model.network, torch.device("cpu")))
