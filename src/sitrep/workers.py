"""Shards read by a reader here, or by several processes that each hold one; results come in the order of the shards."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Protocol, TypeVar

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats import jsonl
from sitrep.shards import Shard, ShardOutput

AHEAD = 2  # shards in flight for each worker: one that is read, one that waits


class ShardReader(Protocol):
    """What reads the articles of a shard."""

    @property
    def fields(self) -> Collection[str | None]:
        """What is predicted: class fields, and None for mentions."""
        ...

    def read(self, articles: list[Article]) -> Iterator[Article]:
        """Yield each article with what is found in it."""
        ...

    def left_out(self) -> Counter[str]:
        """Return how often each label scored too low since the reader was made."""
        ...


LoadReader = Callable[[], ShardReader]
Result = tuple[Shard, ShardOutput]
Handle = TypeVar("Handle")

_load: LoadReader  # of a worker
_reader: ShardReader | None = None


def read_shards(shards: Iterator[Shard], load: LoadReader, n_workers: int) -> Iterator[Result]:
    """Yield each shard with what a reader makes of it, in order; at most AHEAD shards a worker are held.

    load: makes the reader; called once in each worker, and must be picklable where there are several

    Raises:
        InputError: if a worker dies.
    """
    if n_workers > 1:
        yield from _read_in_processes(shards, load, n_workers)
        return
    reader = load()
    for shard in shards:
        yield shard, read_shard(reader, shard.articles)


def _read_in_processes(shards: Iterator[Shard], load: LoadReader, n_workers: int) -> Iterator[Result]:
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(n_workers, multiprocessing.get_context("spawn"), _begin_worker, (load,))

    def submit(shard: Shard) -> Future[ShardOutput]:
        try:
            return pool.submit(_read_in_worker, shard.articles)
        except BrokenProcessPool as error:  # told of as the shards before it are: when its turn comes
            broken: Future[ShardOutput] = Future()
            broken.set_exception(error)
            return broken

    def result(shard: Shard, future: Future[ShardOutput]) -> ShardOutput:
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise worker_died(shard) from error

    try:
        yield from in_order(shards, submit, result, AHEAD * n_workers)
    finally:
        for worker in set(multiprocessing.active_children()) - others:  # idle where all is done; else what they do is lost anyway
            worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    shards: Iterator[Shard], submit: Callable[[Shard], Handle], result: Callable[[Shard, Handle], ShardOutput], n_ahead: int
) -> Iterator[Result]:
    """Yield each shard with its result, in order, while up to `n_ahead` are with the workers.

    submit: hands a shard out; result: waits for what became of it
    """
    waiting: deque[tuple[Shard, Handle]] = deque()
    for shard in shards:
        waiting.append((shard, submit(shard)))
        if len(waiting) == n_ahead:
            first, handle = waiting.popleft()
            yield first, result(first, handle)
    for first, handle in waiting:
        yield first, result(first, handle)


def worker_died(shard: Shard) -> InputError:
    """Return the error that says so."""
    return InputError(
        f"a worker died while shard {shard.number} (from article {shard.articles[0].id!r}) or one of the next was read: killed, or "
        "out of memory; what is done is kept, and the same command goes on; workers=1 takes the least memory"
    )


def read_shard(reader: ShardReader, articles: list[Article]) -> ShardOutput:
    """Return what `reader` makes of the articles of a shard."""
    before, found, lines = reader.left_out(), Counter[str](), []
    for article in reader.read(articles):
        lines.append(jsonl.format_row(article) + "\n")
        found.update(span.label for span in article.spans if None in reader.fields)  # and not those that came with the input
        found.update(f"{name}={label}" for name in reader.fields if name for label in article.labels[name])
    return ShardOutput("".join(lines).encode(), found, reader.left_out() - before)


def _begin_worker(load: LoadReader) -> None:
    global _load  # noqa: PLW0603 (a process pool gives a worker no other place to keep it)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _load = load


def _end_with_parent() -> None:
    """End this worker when its parent has gone, even by kill -9: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent
    connection.wait([parent.sentinel])
    os._exit(1)


def _read_in_worker(articles: list[Article]) -> ShardOutput:
    global _reader  # noqa: PLW0603
    _reader = _reader or _load()  # here, and not when the worker begins, so that an error reaches the parent
    return read_shard(_reader, articles)
