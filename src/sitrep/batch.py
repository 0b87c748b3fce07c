"""Prediction of many articles into one file: as a stream, resumable, every input accounted for.

While it grows the output is called `<output>.partial`, with `<output>.partial.json` to say what makes it. The same command
goes on behind its last whole line.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats import jsonl
from sitrep.formats.files import Reject, RowError, refuse
from sitrep.runs import read_json, write_json


@dataclass
class Summary:
    """What became of every input row."""

    n_articles: int = 0
    n_resumed: int = 0
    n_rejected: int = 0
    n_duplicate_ids: int = 0
    found: Counter[str] = field(default_factory=Counter)  # `LABEL` or `field=label` -> how often


def predict_to_file(
    read_input: Callable[[Reject], Iterator[Article]],
    apply: Callable[[Iterable[Article]], Iterator[Article]],
    output: Path,
    made_by: dict[str, Any],
    *,
    overwrite: bool,
    strict: bool,
) -> Summary:
    """Write the articles of `read_input` to `output` as `apply` predicts them.

    Args:
        read_input: called with the function that takes what cannot be read.
        made_by: what determines the output; an unfinished output that was made by something else is refused.
        overwrite: start anew instead of refusing a finished output or going on with an unfinished one.
        strict: stop at the first row that cannot be read instead of writing it to `<output>.rejected.jsonl`.

    Raises:
        InputError: if the output exists, belongs to another job, cannot be written, or is being written by another process.
    """
    partial, manifest, rejected = (output.with_name(output.name + ending) for ending in (".partial", ".partial.json", ".rejected.jsonl"))
    with _claim(output):
        summary = Summary(n_resumed=_prepare(output, partial, manifest, made_by, overwrite))
        rejected_partial = rejected.with_name(rejected.name + ".partial")
        with rejected_partial.open("w", encoding="utf-8") as rejects, partial.open("a", encoding="utf-8", newline="\n") as lines:

            def reject(error: RowError) -> None:
                summary.n_rejected += 1
                row = {"file": error.source.path, "line": error.source.line, "reason": error.reason}
                rejects.write(json.dumps(row, ensure_ascii=False) + "\n")

            articles = _count_ids(read_input(refuse if strict else reject), summary)
            _skip_done(articles, partial)
            for article in apply(articles):
                lines.write(jsonl.format_row(article) + "\n")
                summary.found.update(span.label for span in article.spans)
                summary.found.update(f"{name}={label}" for name, labels in article.labels.items() for label in labels)
        partial.replace(output)
        manifest.unlink()
        if summary.n_rejected:
            rejected_partial.replace(rejected)
        else:
            rejected_partial.unlink()
            rejected.unlink(missing_ok=True)  # of an earlier output that was overwritten
    return summary


def _skip_done(articles: Iterator[Article], partial: Path) -> None:
    """Take the articles that `partial` already holds off the input.

    Raises:
        InputError: if the input does not begin with them any more.
    """
    with partial.open("rb") as done:
        for line in done:
            known, article = json.loads(line)["id"], next(articles, None)
            if article is None or article.id != known:
                found = f"article {article.id!r}" if article else "its end"
                raise InputError(
                    f"{partial}: the input has changed since this output was begun: article {known!r} was read there, now comes {found}; "
                    "bring the input back, or overwrite=true to start anew"
                )


def _count_ids(articles: Iterable[Article], summary: Summary) -> Iterator[Article]:
    seen: set[int] = set()  # hashes: ids may be long and many
    for article in articles:
        summary.n_articles += 1
        summary.n_duplicate_ids += hash(article.id) in seen
        seen.add(hash(article.id))
        yield article


def _prepare(output: Path, partial: Path, manifest: Path, made_by: dict[str, Any], overwrite: bool) -> int:
    """Make ready to append to `partial`; return how many whole lines it already holds."""
    if overwrite:
        partial.unlink(missing_ok=True)
    elif output.exists():
        raise InputError(f"output={output} exists and is finished; choose another name, or overwrite=true to start anew")
    elif partial.exists() and manifest.exists():
        if read_json(manifest) != made_by:
            raise InputError(
                f"{partial}: the unfinished output of another job ({manifest} says which); "
                "finish that with its own command, or overwrite=true to start anew"
            )
        return _whole_lines(partial)
    write_json(manifest, made_by)
    partial.write_bytes(b"")
    return 0


def _whole_lines(path: Path) -> int:
    """Cut what follows the last newline off a file, as a killed process leaves it, and return the number of lines."""
    n_lines = n_bytes = 0
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                n_lines, n_bytes = n_lines + 1, n_bytes + len(line)
    os.truncate(path, n_bytes)
    return n_lines


@contextmanager
def _claim(output: Path) -> Iterator[None]:
    lock = output.with_name(f".{output.name}.lock")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise InputError(f"output={output}: another process is writing it; wait until it has ended") from error
    except OSError as error:
        raise InputError(f"output={output}: cannot be written: {error.strerror}; what was predicted so far is kept") from error
    lock.unlink(missing_ok=True)
