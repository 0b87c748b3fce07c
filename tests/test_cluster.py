"""Shards read by actors of a Ray of two processes on this machine; skipped where Ray is not installed."""

import sys

import pytest
from factories import refused
from test_workers import SHARDS, GaoReader

from sitrep.articles import Article
from sitrep.cluster import read_on_cluster
from sitrep.shards import Shard
from sitrep.workers import read_shards


def read(shards):
    return list(read_on_cluster(iter(shards), GaoReader, n_workers=2, threads=1, n_gpus=0))


def test_actors_give_what_a_process_gives_and_a_dead_one_is_told_of():
    ray = pytest.importorskip("ray")
    assert read(SHARDS) == list(read_shards(iter(SHARDS), GaoReader, 1))
    assert not ray.is_initialized()
    with refused("a worker died while shard 1 (from article 'die')"):
        read([SHARDS[1], Shard(1, [Article("die", "in Gao")], "")])
    with refused("article 'bad': no good"):
        read([Shard(0, [Article("bad", "in Gao")], "")])


def test_without_ray_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with refused("engine=ray: Ray is not installed", "sitrep[ray]", "engine=local"):
        read(SHARDS)
