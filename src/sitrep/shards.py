"""The growing output of a long job, shard by shard: what is written is never read again, what was cut off is.

While it grows the output is `<output>.partial`, in JSON Lines whatever its ending. Beside it lies the manifest,
`<output>.partial.manifest.jsonl`: its first line says what makes the output, each other one tells of a shard that is whole. Both are on
the disk before the next shard is begun.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import accumulate, starmap
from pathlib import Path
from typing import Any

from sitrep.articles import Article, in_chunks
from sitrep.errors import InputError
from sitrep.formats import jsonl

SHARD_ARTICLES = 128  # some 15 s of work for the default encoder on two cores: what a kill costs at most, and enough to sort by length
SHARD_CHARS = 500_000  # fewer articles where they are long
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Shard:
    """Articles that are read together; `number` counts from 0, `sha256` (hex) is that of all that came with them."""

    number: int
    articles: list[Article]
    sha256: str


@dataclass(frozen=True)
class Done:
    """A line of the manifest: a shard that is whole in the output.

    end: bytes of the output up to its last article
    found, left_out: label (`LABEL` or `field=label`) -> how often it was given, and how often it scored too low
    """

    shard: int
    n_articles: int
    end: int
    first_id: str
    last_id: str
    sha256: str
    found: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardOutput:
    """What a reader makes of a shard: the lines of its articles (UTF-8 bytes), and the counts of `Done`."""

    lines: bytes
    found: Counter[str]
    left_out: Counter[str]


def cut_shards(articles: Iterable[Article]) -> Iterator[Shard]:
    """Yield `articles` in shards; where one ends depends on the articles alone."""
    return starmap(_shard, enumerate(in_chunks(articles, SHARD_ARTICLES, SHARD_CHARS)))


def _shard(number: int, articles: list[Article]) -> Shard:
    digest = hashlib.sha256()
    for article in articles:
        digest.update(jsonl.format_row(article).encode() + b"\n")
    return Shard(number, articles, digest.hexdigest())


class GrowingOutput:
    """The unfinished output of one job; only the process that holds the output's lock may have one."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.partial = output.with_name(output.name + ".partial")
        self.manifest = output.with_name(output.name + ".partial.manifest.jsonl")
        self.done: list[Done] = []
        self.ends: list[int] = []  # of the manifest's lines, in bytes

    def made_by(self) -> dict[str, Any] | None:
        """Return what makes the unfinished output, or None if there is none."""
        if not (self.manifest.exists() and self.partial.exists()):
            return None
        if not (lines := _whole_lines(self.manifest)):  # killed before it said anything
            return None
        try:
            entries = [json.loads(line) for line in lines]
            [Done(**entry) for entry in entries[1:]]
            return entries[0]["made_by"] if entries[0]["schema_version"] == SCHEMA_VERSION else {"manifest": "of another version"}
        except (ValueError, KeyError, TypeError):
            return {"manifest": "damaged"}

    def begin(self, made_by: Mapping[str, Any]) -> None:
        """Start anew."""
        self.manifest.unlink(missing_ok=True)
        self.partial.write_bytes(b"")
        self.ends = [_append(self.manifest, _line({"schema_version": SCHEMA_VERSION, "made_by": made_by}))]
        self.done = []

    def go_on(self, made_by: Mapping[str, Any]) -> None:
        """Take up an unfinished output behind its last whole shard.

        Raises:
            InputError: if something else makes it, with what differs.
        """
        found = self.made_by() or {}
        if differing := [key for key in {**found, **made_by} if found.get(key) != made_by.get(key)]:
            told = "; ".join(f"{key}={_short(found.get(key))}, now {_short(made_by.get(key))}" for key in differing)
            raise InputError(
                f"{self.partial}: the unfinished output of another job ({told}); "
                "finish it with its own command, or overwrite=true to start anew"
            )
        header, *lines = _whole_lines(self.manifest)
        size = self.partial.stat().st_size
        self.done = [Done(**json.loads(line)) for line in lines]
        self.ends = list(accumulate(map(len, [header, *lines])))
        self.cut(sum(entry.end <= size for entry in self.done))  # a lost machine may have kept the one file and lost the other's end

    def cut(self, n_shards: int) -> None:
        """Drop what follows the first `n_shards`, if anything does."""
        if n_shards <= len(self.done):
            self.done, self.ends = self.done[:n_shards], self.ends[: n_shards + 1]
            os.truncate(self.manifest, self.ends[-1])
            os.truncate(self.partial, self.done[-1].end if self.done else 0)

    def holds(self, shard: Shard) -> bool:
        """Say whether a shard of today's input is the one that was read."""
        return self.done[shard.number].sha256 == shard.sha256

    def check(self, shard: Shard) -> None:
        """Demand that a shard of today's input is the one that was read.

        Raises:
            InputError: if it is not.
        """
        if not self.holds(shard):
            there = f"{len(shard.articles)} from {shard.articles[0].id!r} to {shard.articles[-1].id!r}"
            raise self._changed(f"of {_told(self.done[shard.number])} one is another, or has gone: now there are {there}")

    def check_end(self, n_shards: int) -> None:
        """Demand that the input has not ended before the shards that were read."""
        if n_shards < len(self.done):
            raise self._changed(f"it ends before {_told(self.done[n_shards])}")

    def _changed(self, how: str) -> InputError:
        return InputError(
            f"{self.partial}: the input has changed since this output was begun: {how}; "
            "bring the input back, or overwrite=true to start anew"
        )

    def append(self, shard: Shard, made: ShardOutput) -> None:
        """Write a shard that is whole, and say so in the manifest."""
        end = _append(self.partial, made.lines)
        ids = shard.articles[0].id, shard.articles[-1].id
        entry = Done(shard.number, len(shard.articles), end, *ids, shard.sha256, dict(made.found), dict(made.left_out))
        self.ends.append(_append(self.manifest, _line(asdict(entry))))
        self.done.append(entry)

    def drop(self) -> None:
        """Remove what a finished output needs no more."""
        self.manifest.unlink(missing_ok=True)
        self.partial.unlink(missing_ok=True)


def _told(done: Done) -> str:
    return f"the {done.n_articles} articles from {done.first_id!r} to {done.last_id!r}"


def _append(path: Path, data: bytes) -> int:
    """Write behind the end of a file, down to the disk, and return its size."""
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a file, their ends included; what follows the last newline, as a killed process leaves it, is left out."""
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
