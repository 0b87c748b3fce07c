"""Articles written in another format, and what that cannot hold."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from glob import has_magic
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from sitrep.annotate_config import ConvertConfig, reading_options
from sitrep.articles import Article
from sitrep.errors import InputError, did_you_mean, require
from sitrep.formats import read_articles, write_articles
from sitrep.formats.faults import Loss, Losses
from sitrep.formats.files import refuse, replacing
from sitrep.formats.listing import Excluded, expand
from sitrep.formats.writing import Target, as_input_error, check_replaceable
from sitrep.terminal import console, loss_table, say

log = logging.getLogger(__name__)


def convert(config: ConvertConfig) -> int:
    """Write the articles of `config.input` to `config.output`, and what is lost on the way beside it."""
    output = Path(config.output)
    _check_apart(config.input, config.text_dir, output)
    listed = output.with_name(f"{output.name}.lost.jsonl")
    with as_input_error(listed):
        check_replaceable(listed, None, overwrite=config.overwrite)
    with TemporaryFile("w+", encoding="utf-8", newline="\n") as lines:  # its place beside the output may not be there yet
        lost, counted = _Lost(lines), _Counted()
        articles = read_articles(config.input, exclude=[output, listed], lose=lost, **reading_options(config))
        write_articles(
            counted.watch(_with_classes(article, config.fields) for article in articles),
            output,
            format=config.to,
            target=Target(lost, config.predicted_by),
            overwrite=config.overwrite,
            check=lambda: _check(config, counted, lost),
        )
        lines.seek(0)
        with as_input_error(listed):
            if lost.counts:
                with replacing(listed) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as kept:
                    shutil.copyfileobj(lines, kept)
            else:
                listed.unlink(missing_ok=True)
    if counted.n_duplicate_ids:
        log.warning("%d articles have an id that another had before; all are written", counted.n_duplicate_ids)
    say(f"{output}: {counted.n_articles - lost.counts['articles']:,} articles, {counted.n_mentions:,} mentions read")
    if lost.counts:
        console().print(loss_table(f"lost, {listed}", [(what, n, _shown(lost.first[what])) for what, n in lost.counts.most_common()]))
    else:
        say("nothing was lost")
    return 0


def _check(config: ConvertConfig, counted: _Counted, lost: _Lost) -> None:
    """Demand, when all is read, that every one of `fields` was there, and if `strict` that nothing is lost."""
    for name in config.fields:
        is_known = name in counted.fields or not counted.n_articles
        require(is_known, f"fields=[{name}]: no article of {config.input} has such a field{did_you_mean(name, counted.fields)}")
    if config.strict:
        lost.check(Path(config.output))


def _with_classes(article: Article, fields: Sequence[str]) -> Article:
    """Return the article with what stands under `fields` as its class labels; a field that it has not stays away."""
    for name in fields:
        if (values := article.classes(name)) is not None:
            article = article.with_classes(name, values)
    return article


class _Lost(Losses):
    """What is lost, all of it written as JSON Lines."""

    def __init__(self, lines: TextIO) -> None:
        super().__init__()
        self._lines = lines

    def __call__(self, loss: Loss) -> None:
        super().__call__(loss)
        self._lines.write(json.dumps(asdict(loss), ensure_ascii=False) + "\n")

    def check(self, output: Path) -> None:
        """Raise an InputError if anything is lost."""
        if self.counts:
            first = next(iter(self.first.values()))
            raise InputError(
                f"{output}: not written, since strict=true and this would be lost: {self}; first: {first.what}, "
                f"{_shown(first)}. Leave strict= out, or choose a format that holds it"
            )


class _Counted:
    """Counts articles and mentions as they pass, and collects the names of their fields."""

    def __init__(self) -> None:
        self.n_articles = self.n_mentions = self.n_duplicate_ids = 0
        self.fields: set[str] = set()
        self._seen: set[str] = set()

    def watch(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield the articles."""
        for article in articles:
            self.n_articles += 1
            self.fields |= article.labels.keys() | article.extra.keys()
            self.n_mentions += len(article.spans)
            self.n_duplicate_ids += article.id in self._seen
            self._seen.add(article.id)
            yield article


def _shown(loss: Loss) -> str:
    detail = " ".join(loss.detail.split())
    return f"{loss.article_id}: {detail if len(detail) <= 60 else detail[:57] + '...'}"


def _check_apart(given: str, text_dir: str | None, output: Path) -> None:
    """Demand that neither of input and output lies in the other, and that the texts of the input do not lie in the output."""
    out = output.resolve()
    if text_dir:
        require(not Path(text_dir).resolve().is_relative_to(out), f"output={output}: holds text_dir={text_dir}; choose another output")
    if given == "-":
        return
    if has_magic(given) and not os.path.lexists(given):
        for file in expand(Path(given), Excluded(()), refuse)[0]:
            stands_apart = not Path(file).resolve().is_relative_to(out)
            require(stands_apart, f"output={output}: is or holds {file}, which the input {given} names; choose another output")
        return
    source = Path(given).resolve()
    require(source != out, f"output={output}: is the input; choose another output")
    require(not (source.is_dir() and out.is_relative_to(source)), f"output={output}: lies in the input {given}; choose another output")
    require(not source.is_relative_to(out), f"output={output}: holds the input {given}; choose another output")
