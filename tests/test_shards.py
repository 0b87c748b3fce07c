"""The growing output: cut off at any byte of either file it goes on behind the last whole shard."""

import itertools
import json
from collections import Counter

import pytest
from factories import refused

from sitrep import shards
from sitrep.articles import Article
from sitrep.formats import jsonl
from sitrep.shards import GrowingOutput, ShardOutput, cut_shards

ARTICLES = [Article(f"é{number}", "Gao 🚁\n", extra={"date": "2020"}) for number in range(7)]
MADE_BY = {"models": {"ner": "0" * 12}, "threads": 2}


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ARTICLES", 3)


def made(shard):
    lines = "".join(jsonl.format_row(article) + "\n" for article in shard.articles)
    return ShardOutput(lines.encode(), Counter(LOCATION=len(shard.articles)), Counter())


def grow(output):
    """Do what is left of the job, and return how many shards that were."""
    growing = GrowingOutput(output)
    growing.go_on(MADE_BY) if growing.made_by() else growing.begin(MADE_BY)
    n_new = 0
    for shard in cut_shards(ARTICLES):
        if shard.number < len(growing.done):
            growing.check(shard)
        else:
            growing.append(shard, made(shard))
            n_new += 1
    assert sum((Counter(done.found) for done in growing.done), Counter()) == {"LOCATION": 7}
    return n_new


def test_shards_hold_so_many_articles_or_so_much_text(monkeypatch):
    assert [[article.id for article in shard.articles] for shard in cut_shards(ARTICLES)] == [
        ["é0", "é1", "é2"],
        ["é3", "é4", "é5"],
        ["é6"],
    ]
    assert list(cut_shards([])) == []
    monkeypatch.setattr(shards, "SHARD_CHARS", 7)
    assert [len(shard.articles) for shard in cut_shards(ARTICLES)] == [2, 2, 2, 1]
    endless = cut_shards(Article(str(number), "x") for number in itertools.count())
    assert next(endless).number == 0 and next(endless).articles[0].id == "3"


def test_cut_off_at_any_byte_it_ends_as_if_undisturbed(tmp_path):
    whole = GrowingOutput(tmp_path / "whole")
    assert grow(tmp_path / "whole") == 3
    lines, manifest = whole.partial.read_bytes(), whole.manifest.read_bytes()
    cut = GrowingOutput(tmp_path / "cut")
    for end in [*range(0, len(manifest), 5), len(manifest)]:
        for n_bytes in {0, len(lines) // 2, len(lines)}:
            cut.partial.write_bytes(lines[:n_bytes])
            cut.manifest.write_bytes(manifest[:end])
            n_new = grow(tmp_path / "cut")
            assert cut.partial.read_bytes() == lines and cut.manifest.read_bytes() == manifest
            n_told = max(0, manifest[:end].count(b"\n") - 1)
            assert n_new == 3 - min(n_told, [0, 1, 3][[0, len(lines) // 2, len(lines)].index(n_bytes)])


def test_another_job_is_refused_and_what_differs_is_named(tmp_path):
    GrowingOutput(tmp_path / "o").begin(MADE_BY)
    with refused("o.partial", "another job", "threads=2, now 4; strict=null, now true", "overwrite=true"):
        GrowingOutput(tmp_path / "o").go_on({**MADE_BY, "threads": 4, "strict": True})


def test_another_input_is_refused_and_where_it_differs_is_named(tmp_path):
    growing = GrowingOutput(tmp_path / "o")
    growing.begin(MADE_BY)
    for shard in cut_shards(ARTICLES[:6]):
        growing.append(shard, made(shard))
    changed = [*ARTICLES[:4], Article("new", "x"), *ARTICLES[4:]]
    first, second, *_ = cut_shards(changed)
    growing.check(first)
    with refused("the input has changed", "of the 3 articles from 'é3' to 'é5'", "now there are 3 from 'é3' to 'é4'", "overwrite=true"):
        growing.check(second)
    with refused("it ends before the 3 articles from 'é3' to 'é5'"):
        growing.check_end(1)
    growing.check_end(2)


def test_any_field_of_an_input_row_counts():
    (one,), (other,) = (cut_shards([Article("a", "x", extra={"date": date})]) for date in ("2020", "2021"))
    assert one.sha256 != other.sha256


def test_the_manifest_tells_what_was_made(tmp_path):
    grow(tmp_path / "o")
    header, *lines = map(json.loads, (tmp_path / "o.partial.manifest.jsonl").read_text().splitlines())
    assert header == {"schema_version": 1, "made_by": MADE_BY}
    assert [line["end"] for line in lines][-1] == (tmp_path / "o.partial").stat().st_size
    assert lines[1]["first_id"] == "é3" and lines[1]["found"] == {"LOCATION": 3}
