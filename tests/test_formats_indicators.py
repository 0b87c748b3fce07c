import csv

import pytest
from factories import refused, texts, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.formats import read_articles

ROWS = 'A blast in Gao.\t1\t0\t1\r\n"A ""truce"",\n\tthen talks."\t0\t1\t0\r\nRain.\t0\t0\t0'


def read(path, **options):
    return list(read_articles(path, format="indicators", **options))


def test_rows_are_articles_with_topics(tmp_path):
    write_files(tmp_path, {"x/train.tsv": ROWS, "x/LICENSE": "free", "x/notes.txt": "x"})
    articles = read(tmp_path)
    assert [(article.id, article.text) for article in articles] == [
        ("x/train-1", "A blast in Gao."), ("x/train-2", 'A "truce",\n\tthen talks.'), ("x/train-3", "Rain."),
    ]  # fmt: skip
    assert [article.labels for article in articles] == [{"topics": ("label_1", "label_3")}, {"topics": ("label_2",)}, {"topics": ()}]
    assert [article.source.line for article in articles] == [1, 2, 4]


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path):
    write_files(tmp_path, {"a.tsv": "\ufeffRain.\t0\n\nWind.\t1\n\n"})
    assert [(article.id, article.text, article.source.line) for article in read(tmp_path)] == [("a-1", "Rain.", 1), ("a-2", "Wind.", 3)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("indicators") / "rows.tsv"


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(texts(min_size=1), st.tuples(*[st.sampled_from("01")] * 3)), max_size=5))
def test_file_round_trip(path, rows):
    with path.open("w", encoding="utf-8-sig", newline="") as lines:
        csv.writer(lines, delimiter="\t", quoting=csv.QUOTE_ALL).writerows([text, *values] for text, values in rows)
    articles = read(path)
    assert [article.text for article in articles] == [text for text, _ in rows]
    expected = [tuple(f"label_{index}" for index in (1, 2, 3) if values[index - 1] == "1") for _, values in rows]
    assert [article.labels["topics"] for article in articles] == expected


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Wind.\t1", "2 columns, but the first row has 3; a tab inside a text needs quotes around the text"),
        ("Wind.\t1\t0\t0", "4 columns, but the first row has 3"),
        ("Wind\tand rain.\t1", "column 2 holds 'and rain.', expected 0 or 1; the file has no header line"),
        ("Wind.\t1\t2", "column 3 holds '2', expected 0 or 1"),
        ("Wind.\t1\t", "column 3 holds '', expected 0 or 1"),
        ("Wind.", "expected 'text<TAB>0<TAB>1...', found one column: 'Wind.'"),
    ],
)
def test_bad_row_names_file_and_line_and_can_be_rejected(tmp_path, row, problem):
    write_files(tmp_path, {"a.tsv": f'"Rain\nfell."\t0\t1\n{row}\nSun.\t1\t1\n'})
    with refused(f"{tmp_path / 'a.tsv'}:3: {problem}"):
        read(tmp_path)
    rejected = []
    assert [article.id for article in read(tmp_path, reject=rejected.append)] == ["a-1", "a-3"]
    assert [error.source.line for error in rejected] == [3]


def test_a_header_is_named_as_what_it_is(tmp_path):
    write_files(tmp_path, {"a.tsv": "text\tbombing\nRain.\t0\n"})
    with refused(f"{tmp_path / 'a.tsv'}:1: column 2 holds 'bombing', expected 0 or 1; the file has no header line"):
        read(tmp_path)


def test_a_text_may_be_long(tmp_path):
    write_files(tmp_path, {"a.tsv": "Rain. " * 50_000 + "\t1\n"})
    assert [len(article.text) for article in read(tmp_path)] == [300_000]


@pytest.mark.parametrize("row", ['"Wind.\t1\n', '"Wind" and rain.\t1\n'])
def test_a_quote_that_is_not_closed_names_the_line_where_it_opens(tmp_path, row):
    write_files(tmp_path, {"a.tsv": f"Rain.\t0\n{row}Sun.\t1\n"})
    with refused(f"{tmp_path / 'a.tsv'}:2: not TSV: ", "a text that opens with a quote must close it, quotes inside doubled"):
        read(tmp_path)
