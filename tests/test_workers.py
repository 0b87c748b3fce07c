"""Shards read here or by several processes: the same results, in order; a worker that dies is told of."""

import itertools
import multiprocessing
import os
import signal
from collections import Counter

import pytest
from factories import refused

from sitrep.articles import Article, Span
from sitrep.errors import InputError
from sitrep.shards import Shard
from sitrep.workers import AHEAD, read_shards

SHARDS = [Shard(number, [Article(f"{number}-{n}", "in Gao") for n in range(number % 3)], "") for number in range(9)]


class GaoReader:
    """Finds the word that stands there; counts the empty class of each article as left out."""

    fields = (None, "topics")

    def __init__(self):
        self.low = Counter()

    def read(self, articles):
        for article in articles:
            if article.id == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if article.id == "bad":
                raise InputError("article 'bad': no good")
            self.low["VEHICLE"] += 1
            yield Article(article.id, article.text, (Span(3, 6, "LOCATION", 0.5),), {"topics": ("raid",)})

    def left_out(self):
        return Counter(self.low)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_shards_come_in_order_with_what_was_found(n_workers):
    results = list(read_shards(iter(SHARDS), GaoReader, n_workers))
    assert [shard.number for shard, _ in results] == list(range(9))
    for shard, made in results:
        n = len(shard.articles)
        assert made.lines.count(b"\n") == n and all(article.id.encode() in made.lines for article in shard.articles)
        assert made.found == Counter({"LOCATION": n, "topics=raid": n} if n else {})
        assert made.left_out == Counter({"VEHICLE": n} if n else {})
    assert not multiprocessing.active_children()


def test_few_shards_are_held():
    n_taken = 0

    def endless():
        nonlocal n_taken
        for n_taken in itertools.count(1):
            yield SHARDS[n_taken % 9]

    results = read_shards(endless(), GaoReader, 2)
    for n_given in range(1, 8):
        next(results)
        assert n_taken <= n_given + 2 * AHEAD
    results.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(("article_id", "message"), [("die", "a worker died while shard 1 (from article 'die')"), ("bad", "no good")])
def test_a_worker_that_dies_and_one_that_fails_are_told_of(article_id, message):
    results = read_shards(iter([SHARDS[1], Shard(1, [Article(article_id, "in Gao")], ""), SHARDS[2]]), GaoReader, 2)
    with refused(message):
        list(results)
    assert not multiprocessing.active_children()
