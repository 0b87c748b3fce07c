"""Prediction of many articles into one file: as a stream, resumable, every input accounted for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats.files import Reject, RowError, refuse
from sitrep.outputs import finish_output, output_files
from sitrep.shards import GrowingOutput, Shard, cut_shards
from sitrep.workers import LoadReader, Result, read_shards

IN_THIS_PROCESS = partial(read_shards, n_workers=1)


@dataclass
class Summary:
    """What became of every input row.

    found, left_out: `LABEL` or `field=label` -> how often it was given, and how often it scored too low
    files: what was written, the articles or mentions first
    """

    n_articles: int = 0
    n_resumed: int = 0
    n_rejected: int = 0
    n_duplicate_ids: int = 0
    found: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    files: list[Path] = field(default_factory=list)


def unfinished(output: Path, *, overwrite: bool) -> dict[str, Any]:
    """Return what makes the unfinished output of that name; nothing where there is none.

    Raises:
        InputError: if the output is finished, and not to be overwritten.
    """
    if not overwrite:
        _refuse_finished(output)
    return GrowingOutput(output).made_by() or {}


def _refuse_finished(output: Path) -> None:
    files = output_files(output)
    there = [path for path in files if path.exists()]
    is_cut_off = len(there) < len(files) and GrowingOutput(output).made_by() is not None  # between one file of it and the next
    if there and not is_cut_off:
        raise InputError(f"output={there[0]} exists and is finished; choose another name, or overwrite=true to start anew")


def predict_to_file(
    read_input: Callable[..., Iterator[Article]],
    load: LoadReader,
    output: Path,
    made_by: dict[str, Any],
    *,
    overwrite: bool,
    strict: bool,
    read: Callable[[Iterator[Shard], LoadReader], Iterator[Result]] = IN_THIS_PROCESS,
    watch: Callable[[Iterable[Shard]], Iterable[Shard]] = iter,
) -> Summary:
    """Write the articles of `read_input` to `output` as the reader that `load` makes predicts them.

    Args:
        read_input: called with `reject=`, the function that takes what cannot be read.
        made_by: what determines the output, in JSON's types, and the class `fields` that are predicted; the unfinished output of something
            else is refused.
        overwrite: replace a finished output, or the unfinished one of something else, instead of refusing; an unfinished one of the same
            job is gone on with all the same, from where its input has changed.
        strict: stop at the first row that cannot be read instead of writing it to `<output>.rejected.jsonl`.
        read: gives each shard with what a reader makes of it, in order.
        watch: wraps the shards as they are read, to show how far the job is.

    Raises:
        InputError: if the output exists, belongs to another job, cannot be written, or is being written by another process.
    """
    growing = GrowingOutput(output)
    rejected, rejected_partial = _rejects_of(output), _rejects_of(output, ".partial")
    with _claim(output), _taken_up(growing, made_by, overwrite):
        summary = Summary(n_resumed=sum(done.n_articles for done in growing.done))
        with rejected_partial.open("w", encoding="utf-8") as rejects:
            reject = refuse if strict else _rejecter(rejects, summary)
            shards = cut_shards(_count_ids(read_input(reject=reject), summary))
            for shard, made in read(iter(watch(_skip_done(shards, growing, overwrite))), load):
                growing.append(shard, made)
        for done in growing.done:
            summary.found.update(done.found)
            summary.left_out.update(done.left_out)
        if summary.n_rejected:
            rejected_partial.replace(rejected)
        else:
            rejected_partial.unlink()
            rejected.unlink(missing_ok=True)  # of an earlier output that was overwritten
        summary.files = finish_output(growing.partial, output, made_by["fields"])
        growing.drop()
    return summary


@contextmanager
def _taken_up(growing: GrowingOutput, made_by: dict[str, Any], overwrite: bool) -> Iterator[None]:
    """Begin the output, or go on with it; of a job that fails before its first shard is done nothing stays in the mended command's way."""
    if not overwrite:
        _refuse_finished(growing.output)
    found = growing.made_by()
    if found == made_by or (found is not None and not overwrite):
        growing.go_on(made_by)
    else:
        growing.begin(made_by)
    try:
        yield
    except BaseException:
        if not growing.done:
            growing.drop()
            _rejects_of(growing.output, ".partial").unlink(missing_ok=True)
        raise


def _rejects_of(output: Path, ending: str = "") -> Path:
    return output.with_name(f"{output.name}.rejected.jsonl{ending}")


def _rejecter(rejects: IO[str], summary: Summary) -> Reject:
    def reject(error: RowError) -> None:
        summary.n_rejected += 1
        row = {"file": error.source.path, "line": error.source.line, "reason": error.reason}
        rejects.write(json.dumps(row, ensure_ascii=False) + "\n")

    return reject


def _skip_done(shards: Iterable[Shard], growing: GrowingOutput, overwrite: bool) -> Iterator[Shard]:
    """Yield the shards that the output does not hold yet; the input of the others must be as it was, or what follows is done again."""
    n_shards = 0
    for shard in shards:
        n_shards += 1
        if shard.number >= len(growing.done):
            yield shard
        elif overwrite and not growing.holds(shard):
            growing.cut(shard.number)
            yield shard
        else:
            growing.check(shard)
    if overwrite:
        growing.cut(n_shards)
    growing.check_end(n_shards)


def _count_ids(articles: Iterable[Article], summary: Summary) -> Iterator[Article]:
    seen: set[int] = set()  # hashes: ids may be long and many
    for article in articles:
        summary.n_articles += 1
        summary.n_duplicate_ids += hash(article.id) in seen
        seen.add(hash(article.id))
        yield article


@contextmanager
def _claim(output: Path) -> Iterator[None]:
    lock = output.with_name(f".{output.name}.lock")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=0):
            yield
            lock.unlink(missing_ok=True)  # while it is held: filelock sees that a file it has locked has no name any more
    except Timeout as error:
        raise InputError(f"output={output}: another process is writing it; wait until it has ended") from error
    except OSError as error:
        raise InputError(
            f"output={output}: cannot be written: {error.strerror or error}; what is done so far is kept: mend that, and the same command "
            "goes on"
        ) from error
