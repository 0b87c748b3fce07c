"""CSV and TSV: what was written comes back, and a bad row costs that row only, with its line."""

import csv
import gzip

import pytest
import zstandard
from factories import refused, texts, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.formats import read_articles, write_articles
from sitrep.formats.faults import Losses
from sitrep.formats.writing import Target

DELIMITERS = {".csv": ",", ".tsv": "\t"}
PACK = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def write_table(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=DELIMITERS[path.suffix])
        writer.writerow(["id", "text", "région", ""])
        writer.writerows(rows)


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(texts(min_size=1), texts(), texts(), texts()), max_size=4),
    ending=st.sampled_from(list(DELIMITERS)),
    packing=st.sampled_from(list(PACK)),
)
def test_file_round_trip(folder, rows, ending, packing):
    write_table(folder / f"plain{ending}", rows)
    path = folder / f"rows{ending}{packing}"
    path.write_bytes(PACK[packing]((folder / f"plain{ending}").read_bytes()))
    back = [(article.id, article.text, article.extra["région"], article.extra[""]) for article in read_articles(path)]
    assert back == rows


def read(tmp_path, content, name="rows.csv", **options):
    """Return the articles, and line and reason of each reject."""
    rejected = []
    write_files(tmp_path, {name: content})
    articles = list(read_articles(tmp_path / name, reject=rejected.append, **options))
    return articles, [(error.source.line, error.reason) for error in rejected]


def test_columns_stay_strings_and_lines_are_where_rows_begin(tmp_path):
    content = '\ufefftext,n,topics\r\n"one\r\n, ""two"" ",007,bombing\r\n\r\nthree,,\r\n'
    articles, rejected = read(tmp_path, content)
    assert not rejected
    assert [(article.id, article.text, dict(article.extra)) for article in articles] == [
        ("rows:2", 'one\r\n, "two" ', {"n": "007", "topics": "bombing"}),
        ("rows:5", "three", {"n": "", "topics": ""}),
    ]
    assert [article.classes("topics") for article in articles] == [("bombing",), ()]
    assert articles[1].where() == f"{tmp_path / 'rows.csv'}:5: article 'rows:5'"


def test_text_and_id_may_stand_in_any_column(tmp_path):
    articles, _ = read(tmp_path, "id,body,text\n1,Rain.,short\n", text_field="body", id_field="text")
    assert [(article.id, article.text, dict(article.extra)) for article in articles] == [("short", "Rain.", {"input_id": "1"})]


def test_columns_called_as_our_own_keys_are_kept_apart(tmp_path):
    articles, _ = read(tmp_path, "text,labels,input_labels,spans\nRain.,a,b,c\n")
    assert dict(articles[0].extra) == {"input_input_labels": "a", "input_labels": "b", "input_spans": "c"}
    assert (articles[0].spans, articles[0].labels) == ((), {})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("id,body\n1,Rain.\n", "no column 'text'; the columns are: id, body; text_field= says which holds the text"),
        ("id;text\n1;Rain.\n", "the header holds ';', but CSV parts columns by ','"),
        ("text,n,n\nRain.,1,2\n", "several columns are called 'n'"),
        ("", "no column 'text'; the columns are: none"),
        ('"text\n', "not CSV: unexpected end of data"),
        (b"te\xffxt,text\n", "not UTF-8: byte 0xff at byte 2"),
        ("text\nRain.\n".encode("utf-16"), "UTF-16"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_reject(tmp_path, content, problem):
    articles, rejected = read(tmp_path, content)
    assert not articles and len(rejected) == 1
    assert rejected[0][0] == 1 and problem in rejected[0][1]


def test_a_column_that_is_named_must_be_there(tmp_path):
    write_files(tmp_path, {"rows.csv": "id,text\n1,Rain.\n"})
    with refused("no column 'key', which id_field= names; the columns are: id, text"):
        list(read_articles(tmp_path / "rows.csv", id_field="key"))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"2,Rain, fell", "3 columns, but the header has 2"),
        (b"2", "1 columns, but the header has 2"),
        (b'2,"Rain" fell', "not CSV"),
        (b'2,"Rain\n\n" fell', "lines 3 to 5 are left out"),
        (b"2,Rain\rfell", "not CSV: new-line character seen in unquoted field"),
        (b"2,Ra\xefn", "not UTF-8: byte 0xef at byte 4"),
        (b'2,"Ra\n\xefn,\n"', "not UTF-8: byte 0xef at byte 0"),
        (b"2,Ra\0n", "NUL byte at byte 4"),
    ],
)
@pytest.mark.parametrize("packing", PACK)
def test_a_bad_row_is_rejected_and_the_next_is_read(tmp_path, row, problem, packing):
    content = b"id,text\n1,one\n" + row + b"\n3,three\n"
    articles, rejected = read(tmp_path, PACK[packing](content), name=f"rows.csv{packing}")
    assert [article.text for article in articles] == ["one", "three"]
    assert [line for line, _ in rejected] == [3 if b"\n\xef" not in row else 4]
    assert problem in rejected[0][1]


def test_a_quote_that_is_never_closed_takes_the_rest_and_says_so(tmp_path):
    articles, rejected = read(tmp_path, 'id,text\n1,one\n2,"two\n3,three\n4,four\n')
    assert [article.text for article in articles] == ["one"]
    assert len(rejected) == 1 and rejected[0][0] == 3
    assert "lines 3 to 5 are left out" in rejected[0][1]


def test_a_text_as_long_as_max_chars_is_read_and_a_longer_one_rejected(tmp_path):
    long = "🚁" * 200_000
    articles, rejected = read(tmp_path, f'id,text\n1,"{long}"\n2,"{long}x"\n3,three\n', max_chars=200_000)
    assert [article.text for article in articles] == [long, "three"]
    assert rejected == [(3, "200,001 characters, more than max_chars=200000 allows; give a higher max_chars=, or cut it into parts")]


@pytest.mark.parametrize("quoted", ['"{}"', '"{}\n,""\n"'])
def test_a_row_too_large_to_hold_is_passed_by(tmp_path, quoted):
    huge = quoted.format("x" * (1 << 24))
    articles, rejected = read(tmp_path, f"id,text\n1,one\n2,{huge}\n3,three\n", max_chars=1000)
    assert [article.text for article in articles] == ["one", "three"]
    assert rejected[0][0] == 3 and f"a row of {len(huge) + 3:,} bytes" in rejected[0][1]
    assert articles[1].source.line == 4 + huge.count("\n")


@pytest.mark.parametrize("ending", DELIMITERS)
def test_class_fields_and_other_fields_are_columns(tmp_path, ending):
    written = [
        Article("1", "Rain, fell.", labels={"topics": ("bombing", "drone"), "region": ()}, extra={"title": "T"}),
        Article(
            "2", "Gao", (Span(0, 3, "X", 0.5),), labels={"topics": ("a;b", " c", "d"), "id": ("x",)}, extra={"n": 7, "topics": "hidden"}
        ),
    ]
    losses = Losses(keep=20)
    write_articles(written, tmp_path / f"rows{ending}", target=Target(losses))
    rows = list(csv.reader((tmp_path / f"rows{ending}").open(newline=""), delimiter=DELIMITERS[ending]))
    assert rows == [
        ["id", "text", "topics", "region", "title", "n"],
        ["1", "Rain, fell.", "bombing;drone", "", "T", ""],
        ["2", "Gao", "d", "", "", "7"],
    ]
    assert [article.classes("topics") for article in read_articles(tmp_path / f"rows{ending}")] == [("bombing", "drone"), ("d",)]
    assert losses.counts == {
        "absent fields": 3, "mentions": 1, "scores": 1, "other fields": 1, "types of other fields": 1, "class labels of id": 1,
        "class labels that are blank, no text or hold a semicolon": 2,
    }  # fmt: skip


def test_labels_of_a_column_are_parted_by_semicolons(tmp_path):
    articles, _ = read(tmp_path, "text,topics\nRain.,bombing; drone;\nSun.,;\n")
    assert [article.classes("topics") for article in articles] == [("bombing", "drone"), ()]
