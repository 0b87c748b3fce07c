"""Limits: what is longer than `max_chars` is rejected with its length, and never held; whatever the file's size, reading is a stream."""

import gzip
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from factories import write_files

from sitrep.formats import read_articles

PACK = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor(level=1).compress}
MEGABYTE = 1 << 20


def read_traced(path, **options):
    """Return how many articles and what rejects there are, and the most memory of Python's that reading took, in bytes."""
    rejected = []
    tracemalloc.start()
    try:
        n_articles = sum(1 for _ in read_articles(path, reject=rejected.append, **options))
        return n_articles, [(error.source.line, error.reason) for error in rejected], tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize(("name", "mark"), [("a.txt", "{}"), ("a.md", "{}"), ("a.jsonl", '{{"text": "{}"}}'), ("a.csv", 'text\n"{}"')])
def test_a_huge_article_is_rejected_and_not_held(tmp_path, packing, name, mark):
    text = "x" * (50 * MEGABYTE)
    path = write_files(tmp_path, {name + packing: PACK[packing](mark.format(text).encode())}) / f"{name}{packing}"
    n_articles, rejected, peak = read_traced(path, max_chars=MEGABYTE)
    assert n_articles == 0 and len(rejected) == 1
    assert "52,4" in rejected[0][1] and "more than max_chars=1048576 allows; give a higher max_chars=" in rejected[0][1]
    assert peak < 45 * MEGABYTE


def test_characters_count_and_not_bytes(tmp_path):
    write_files(tmp_path, {"a.txt": "\ufeff" + "🚁" * 100, "b.txt": "🚁" * 100 + "x", "c.txt": "é" * 300})
    rejected = []
    assert [article.id for article in read_articles(tmp_path, max_chars=100, reject=rejected.append)] == ["a"]
    assert [error.reason.partition(",")[0] for error in rejected] == ["101 characters", "300 characters"]


def test_a_line_of_millions_of_characters_is_an_article(tmp_path):
    line = "word " * 2_000_000
    write_files(tmp_path, {"a.txt": line, "b.jsonl": f'{{"text": "{line}"}}'})
    assert [len(article.text) for article in read_articles(tmp_path, max_chars=10_000_000)] == [10_000_000] * 2


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.csv.zst", "rows.tsv"])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
    texts = [f"{n} fighters left the town, {n * n} stayed. " * 100 for n in range(5000)]
    mark = '{{"text": "{}"}}' if "jsonl" in name else '"{}"'
    content = "\n".join(["" if "jsonl" in name else "text", *map(mark.format, texts)])
    packing = next(packing for packing in (".gz", ".zst", "") if name.endswith(packing))
    path = write_files(tmp_path, {name: PACK[packing](content.encode())}) / name
    n_articles, rejected, peak = read_traced(path, max_chars=5_000_000)
    assert (n_articles, rejected) == (5000, [])
    assert peak < 3 * MEGABYTE < len(content) / 6


def test_memory_does_not_grow_with_a_parquet_file(tmp_path):
    path = tmp_path / "rows.parquet"
    texts = [f"{n} fighters left the town, the army said. " * 25 for n in range(20_000)]
    pq.write_table(pa.table({"text": texts}), path, use_dictionary=False)
    del texts
    pool = pa.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    n_articles = 0
    for _ in read_articles(path):
        n_articles += 1
        most = max(most, pool.bytes_allocated() - before)
    assert n_articles == 20_000
    assert most < 8 * MEGABYTE


def test_a_null_character_that_json_escapes_is_text(tmp_path):
    write_files(tmp_path, {"a.jsonl": r'{"text": "a\u0000b"}', "b.txt": "a\0b"})
    rejected = []
    assert [article.text for article in read_articles(tmp_path, reject=rejected.append)] == ["a\0b"]
    assert rejected[0].reason == "the file is binary (NUL byte at byte 1); expected UTF-8 text"
