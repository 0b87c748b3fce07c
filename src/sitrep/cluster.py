"""Shards read by actors of a Ray cluster: the same readers as those of workers.py, on other machines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import cycle
from typing import Any

from sitrep.errors import InputError
from sitrep.shards import Shard, ShardOutput
from sitrep.workers import AHEAD, LoadReader, Result, ShardReader, in_order, read_shard, worker_died


def read_on_cluster(shards: Iterator[Shard], load: LoadReader, n_workers: int, threads: int, n_gpus: int) -> Iterator[Result]:
    """Yield each shard with what an actor's reader makes of it, in order; at most AHEAD shards an actor are held.

    Joins the cluster that RAY_ADDRESS names, or starts one on this machine.

    Args:
        load: makes the reader; called once in each actor, on its machine.
        threads, n_gpus: that an actor takes of its machine.

    Raises:
        InputError: if Ray is not installed, or an actor dies.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError("engine=ray: Ray is not installed; run: pip install 'sitrep[ray]', or say engine=local") from error

    begun = not ray.is_initialized()
    if begun:
        try:
            ray.init(log_to_driver=False, configure_logging=False, include_dashboard=False)
        except ConnectionError as error:
            raise InputError(f"engine=ray: no cluster answers at RAY_ADDRESS={os.environ.get('RAY_ADDRESS')}: {error}") from error
    made: Any = ray.remote(num_cpus=threads, num_gpus=n_gpus)(_Actor)
    actors = [made.remote(load) for _ in range(n_workers)]
    turns = cycle(actors)

    def result(shard: Shard, handle: Any) -> ShardOutput:
        try:
            return ray.get(handle)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayActorError as error:
            raise worker_died(shard) from error

    try:
        yield from in_order(shards, lambda shard: next(turns).read.remote(shard), result, AHEAD * n_workers)
    finally:
        for actor in actors:
            ray.kill(actor)
        if begun:
            ray.shutdown()


class _Actor:
    """A reader on some machine of the cluster; made when the first shard comes, so that an error reaches the driver as one of reading."""

    def __init__(self, load: LoadReader) -> None:
        self.load = load
        self.reader: ShardReader | None = None

    def read(self, shard: Shard) -> ShardOutput:
        """Return what the reader makes of a shard."""
        self.reader = self.reader or self.load()
        return read_shard(self.reader, shard.articles)
