"""What predictions are written as: every ending read back by an outside reader."""

import csv
import gzip
import json
from pathlib import Path

import pyarrow.parquet
import pytest
import zstandard
from factories import make_article, refused, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.formats import jsonl, read_articles
from sitrep.outputs import ENDINGS, MENTION_COLUMNS, check_ending, finish_output, output_files

ARTICLES = [
    make_article(
        "a", 'He left. [Gao](LOCATION), "safe" 🚁\r\nto =[Ménaka](LOCATION)', labels={"topics": ("raid", "talks"), "tone": ("dry",)}
    ),
    Article("b\nb", "", labels={"topics": ()}, scores={"topics": {"raid": 0.2, "talks": 0.1}}, extra={"date": "2020", "n": [1, None]}),
]
ARTICLES[0] = Article("a", ARTICLES[0].text, tuple(Span(s.start, s.end, s.label, 0.25) for s in ARTICLES[0].spans), ARTICLES[0].labels)


def finish(tmp_path, name, articles=ARTICLES):
    lines = tmp_path / "lines"
    jsonl.write(articles, lines)
    written = lines.read_bytes()
    return finish_output(lines, tmp_path / name, ["topics"]), written


@pytest.mark.parametrize(("name", "unpack"), [("o.jsonl", bytes), ("o.jsonl.gz", gzip.decompress)])
def test_json_lines_plain_and_packed(tmp_path, name, unpack):
    (file,), written = finish(tmp_path, name)
    assert unpack(file.read_bytes()) == written
    assert finish(tmp_path, "again.gz")[0][0].read_bytes() == file.read_bytes() or name == "o.jsonl"  # packed at another time


def test_json_lines_packed_with_zstandard(tmp_path):
    (file,), written = finish(tmp_path, "o.jsonl.zst")
    with zstandard.open(file, "rb") as unpacked:
        assert unpacked.read() == written


def test_parquet_holds_articles_and_mentions(tmp_path):
    files, _ = finish(tmp_path, "o.parquet")
    assert [file.name for file in files] == ["o.parquet", "o.mentions.parquet"]
    first, second = pyarrow.parquet.read_table(files[0]).to_pylist()
    assert (first["id"], first["text"], first["topics"]) == ("a", ARTICLES[0].text, ["raid", "talks"])
    assert first["spans"][1] == {"start": 28, "end": 34, "label": "LOCATION", "text": "Ménaka", "score": 0.25}
    assert json.loads(first["extra"]) == {"labels": {"tone": ["dry"]}}
    assert (second["id"], second["text"], second["spans"], second["topics"]) == ("b\nb", "", [], [])
    assert json.loads(second["scores"]) == ARTICLES[1].scores and json.loads(second["extra"]) == ARTICLES[1].extra
    assert list(read_articles(files[0])) == ARTICLES
    mentions = pyarrow.parquet.read_table(files[1]).to_pylist()
    assert [list(row) for row in mentions] == [list(MENTION_COLUMNS)] * 2
    assert mentions[1] == {
        "article_id": "a", "start": 28, "end": 34, "label": "LOCATION", "surface": "Ménaka", "score": 0.25, "sentence": "to =Ménaka",
    }  # fmt: skip


def test_mentions_alone(tmp_path):
    (file,), _ = finish(tmp_path, "all-mentions.parquet")
    assert pyarrow.parquet.read_table(file).column("surface").to_pylist() == ["Gao", "Ménaka"]


def test_csv_holds_mentions_and_beside_them_the_articles(tmp_path):
    files, _ = finish(tmp_path, "o.csv")
    assert [file.name for file in files] == ["o.csv", "o.articles.csv"]
    with files[0].open(encoding="utf-8", newline="") as rows:
        assert [(row["surface"], row["start"], row["score"]) for row in csv.DictReader(rows)] == [
            ("Gao", "9", "0.25"),
            ("Ménaka", "28", "0.25"),
        ]
    with files[1].open(encoding="utf-8", newline="") as rows:
        assert list(csv.DictReader(rows)) == [
            {"article_id": "a", "topics": "raid;talks", "n_mentions": "2"},
            {"article_id": "b\nb", "topics": "", "n_mentions": "0"},
        ]


@pytest.mark.parametrize("name", ["o.jsonl", "o.parquet", "o.csv", "mentions.parquet"])
def test_an_output_without_articles_is_whole_too(tmp_path, name):
    files, _ = finish(tmp_path, name, [])
    assert files == output_files(tmp_path / name) and all(file.exists() for file in files)
    if name.endswith("parquet"):
        assert pyarrow.parquet.read_table(files[0]).num_rows == 0


@settings(max_examples=50)
@given(st.lists(texts(min_size=1, max_size=20), min_size=1, max_size=4))
def test_any_surface_survives_every_table(tmp_path_factory, surfaces):
    folder = tmp_path_factory.mktemp("tables")
    articles = [Article(str(n), text, (Span(0, len(text), "X", 0.5),), {"topics": ()}) for n, text in enumerate(surfaces)]
    csv_file, _ = finish(folder, "o.csv", articles)[0]
    with csv_file.open(encoding="utf-8", newline="") as rows:
        assert [row["surface"] for row in csv.DictReader(rows)] == surfaces
    assert pyarrow.parquet.read_table(finish(folder, "mentions.parquet", articles)[0][0]).column("surface").to_pylist() == surfaces
    assert list(read_articles(finish(folder, "o.jsonl", articles)[0][0])) == articles


def test_an_ending_that_nothing_is_written_as():
    for name in ENDINGS:
        check_ending(output := Path(f"x{name}"))
        assert output_files(output)[0] == output
    with refused("output=out.txt", ".jsonl.zst", "mentions.parquet or .csv"):
        check_ending(Path("out.txt"))


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.jsonl").symlink_to("far/real.jsonl")
    _, written = finish(tmp_path, "link.jsonl")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "far/real.jsonl").read_bytes() == written
