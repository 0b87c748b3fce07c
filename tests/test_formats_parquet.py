"""Parquet: every value comes back as JSON can hold it, row by row, and a broken file is a reject."""

import datetime
import json
import uuid
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factories import refused, texts, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.formats import jsonl, read_articles, write_articles
from sitrep.formats.parquet import to_json


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("parquet") / "rows.parquet"


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(texts(), texts(), st.none() | texts()), max_size=6), packing=st.sampled_from(["none", "snappy", "zstd"]))
def test_file_round_trip(path, rows, packing):
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    table = pa.table({name: pa.array(list(values), pa.string()) for name, values in zip(("id", "text", "région"), columns, strict=True)})
    pq.write_table(table, path, compression=packing, row_group_size=2)
    assert [(article.id, article.text, article.extra["région"]) for article in read_articles(path)] == rows


def read(path, table, **options):
    """Return the articles, and row and reason of each reject."""
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path)
    rejected = []
    articles = list(read_articles(path, reject=rejected.append, **options))
    return articles, [(error.source.line, error.reason) for error in rejected]


NANOSECONDS = pa.array([1_600_000_000_123_456_789], pa.timestamp("ns", "UTC"))
VALUES = {
    "date": (pa.array([datetime.date(2021, 3, 4)]), "2021-03-04"),
    "time": (pa.array([datetime.time(5, 6, 7)]), "05:06:07"),
    "timestamp": (pa.array([datetime.datetime(2021, 3, 4, 5, 6)]), "2021-03-04T05:06:00"),
    "nanoseconds": (NANOSECONDS, "2020-09-13T12:26:40.123456789+00:00"),
    "duration": (pa.array([datetime.timedelta(days=1, milliseconds=500)]), 86400.5),
    "decimal": (pa.array([Decimal("12.3400")]), "12.3400"),
    "bytes": (pa.array([b"\x00\xff"], pa.binary()), "AP8="),
    "nan": (pa.array([float("nan")]), "NaN"),
    "infinite": (pa.array([float("-inf")]), "-Infinity"),
    "half": (pa.array([1.5], pa.float16()), 1.5),
    "large": (pa.array([2**63], pa.uint64()), 2**63),
    "null": (pa.array([None], pa.null()), None),
    "category": (pa.array(["a"]).dictionary_encode(), "a"),
    "list": (pa.array([[datetime.date(2021, 3, 4), None]]), ["2021-03-04", None]),
    "struct": (pa.array([{"a": {"b": b"x"}}]), {"a": {"b": "eA=="}}),
    "map": (pa.array([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int64())), [["k", 1], ["k", 2]]),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_becomes_what_json_can_hold(path, name):
    column, expected = VALUES[name]
    (article,), rejected = read(path, {"text": ["Rain."], name: column})
    assert not rejected and article.extra[name] == expected
    json.loads(jsonl.format_row(article), parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


def test_a_value_of_a_type_that_json_does_not_know_becomes_its_text():
    assert to_json([uuid.UUID(int=7), (Decimal("1.0"),)]) == ["00000000-0000-0000-0000-000000000007", ["1.0"]]


def test_ids_texts_and_classes(path):
    table = {"doc": pa.array([7, None, 9]), "body": pa.array([b"one", "غزة".encode(), b"three"]), "topics": [["bombing"], None, []]}
    articles, rejected = read(path, table, text_field="body", id_field="doc")
    assert not rejected
    assert [(article.id, article.text, article.source.line) for article in articles] == [
        ("7", "one", 1),
        ("rows:2", "غزة", 2),
        ("9", "three", 3),
    ]
    assert [article.classes("topics") for article in articles] == [("bombing",), None, ()]


def test_marks_are_read_and_columns_that_only_bear_their_names_are_kept_apart(path):
    marks = {
        "spans": [[{"start": 3, "end": 6, "label": "LOCATION", "text": "Gao", "score": 0.5}], None],
        "labels": [{"topics": ["bombing"], "region": None}, {"topics": None, "region": ["sahel"]}],
        "scores": [{"topics": {"bombing": 0.9, "raid": None}}, None],
    }
    articles, rejected = read(path, {"text": ["in Gao", "Rain."], **marks})
    assert not rejected
    assert articles[0].spans == (Span(3, 6, "LOCATION"),)
    assert [article.labels for article in articles] == [{"topics": ("bombing",)}, {"region": ("sahel",)}]
    assert [article.scores for article in articles] == [{"topics": {"bombing": 0.9}}, {}]
    (article,), rejected = read(path, {"text": ["Rain."], "labels": [3], "spans": ["x"]})
    assert not rejected and dict(article.extra) == {"input_labels": 3, "input_spans": "x"}


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ({"text": pa.array(["one", None, "three"])}, "no string under 'text'"),
        ({"text": pa.array([b"one", b"Ra\xefn", b"three"])}, "column 'text': 'utf-8' codec can't decode byte 0xef in position 2"),
        ({"text": ["one", "x" * 6, "three"]}, "6 characters, more than max_chars=5 allows"),
        ({"text": ["one", "x" * 24, "three"]}, "24 bytes under 'text', more than max_chars=5 allows"),
        ({"text": ["one", "two", "three"], "when": pa.array([0, 2**30, 0], pa.date32())}, "column 'when'"),
    ],
)
def test_a_bad_row_is_rejected_and_the_next_is_read(path, column, problem):
    articles, rejected = read(path, column, max_chars=5)
    assert [article.text for article in articles] == ["one", "three"]
    assert rejected[0][0] == 2 and problem in rejected[0][1]


def test_a_null_byte_or_an_id_of_another_type(path):
    _, rejected = read(path, {"text": ["Rain."], "id": [1.5]})
    assert rejected == [(1, "'id' must be a string or a whole number, found 1.5")]


def test_files_that_cannot_be_read_are_one_reject_each(tmp_path):
    pq.write_table(pa.table({"body": ["Rain."], "id": [1]}), tmp_path / "columns.parquet")
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, ["text", "text"]), tmp_path / "twice.parquet")
    whole = (tmp_path / "columns.parquet").read_bytes()
    files = {"a.parquet": b"", "b.parquet": b"PAR1", "c.parquet": whole[: len(whole) // 2], "d.parquet": whole[-50:], "e.parquet.gz": b"x"}
    write_files(tmp_path, files)
    rejected = []
    assert not list(read_articles(tmp_path, reject=rejected.append))
    reasons = {error.source.path.rpartition("/")[2]: error.reason for error in rejected}
    assert len(rejected) == 7
    assert reasons["columns.parquet"] == "no column 'text'; the columns are: body, id; text_field= says which holds the text"
    assert "several columns are called 'text'" in reasons["twice.parquet"]
    assert reasons["e.parquet.gz"] == "Parquet is packed inside already; unpack the file"
    assert all(reasons[name].startswith("cannot be read as Parquet: ") for name in ("a.parquet", "b.parquet", "c.parquet", "d.parquet"))


def test_rows_before_a_break_are_given(tmp_path):
    path = tmp_path / "rows.parquet"
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True, "row_group_size": 100}
    pq.write_table(pa.table({"text": [f"row {n} of many" for n in range(1000)]}), path, **options)
    content = path.read_bytes()
    damaged = content.replace(b"row 555 of many", b"row 5!5 of many", 1)
    assert damaged != content
    path.write_bytes(damaged)
    rejected = []
    n_read = len(list(read_articles(path, reject=rejected.append)))
    assert 0 < n_read <= 555 and len(rejected) == 1
    assert f"cannot be read as Parquet from row {n_read + 1} of 1,000 on" in rejected[0].reason


def test_an_unknown_id_column(path):
    pq.write_table(pa.table({"text": ["Rain."]}), path)
    with refused("no column 'key', which id_field= names; the columns are: text"):
        list(read_articles(path, id_field="key"))


def test_class_fields_are_columns_of_lists(tmp_path):
    written = [
        Article("1", "Gao", (Span(0, 3, "X"),), {"topics": ("a", "b"), "labels_x": ("y",)}, extra={"topics": "kept too"}),
        Article("2", "Rain", labels={"region": ()}),
    ]
    write_articles(written, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["id", "text", "spans", "topics", "region", "scores", "extra"]
    assert table["topics"].to_pylist() == [["a", "b"], None] and table["region"].to_pylist() == [None, []]
    assert list(read_articles(tmp_path / "a.parquet")) == written


@pytest.mark.parametrize("column", ["scores", "extra"])
def test_what_is_no_json_where_ours_has_json_is_a_reject(tmp_path, column):
    write_articles([Article("1", "Gao"), Article("2", "Rain")], tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    table = table.set_column(table.column_names.index(column), column, pa.array(["[]", "{}"]))
    pq.write_table(table, tmp_path / "b.parquet")
    rejected = []
    assert [article.id for article in read_articles(tmp_path / "b.parquet", reject=rejected.append)] == ["2"]
    assert [(error.source.line, error.reason) for error in rejected] == [(1, "'scores' and 'extra' must be objects in JSON")]
