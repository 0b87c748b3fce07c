import json

import pytest
from factories import LABELS, make_article, refused, texts, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.formats import jsonl, read_articles, rows

RATIOS = st.floats(0, 1)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("jsonl") / "rows.jsonl"


@st.composite
def any_articles(draw):
    text = draw(texts(min_size=1))
    bounds = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text))).filter(lambda pair: pair[0] < pair[1])
    span = st.tuples(bounds, st.sampled_from(LABELS), st.none() | RATIOS).map(lambda parts: Span(*parts[0], *parts[1:]))
    names = st.sampled_from(["topics", "région", ""])
    extra = draw(st.dictionaries(texts().filter(lambda key: key not in rows.KNOWN_KEYS), JSON_VALUES, max_size=3))
    return Article(
        id=draw(texts()),
        text=text,
        spans=tuple(draw(st.lists(span, max_size=5))),
        labels=draw(st.dictionaries(names, st.lists(texts(), max_size=3).map(tuple), max_size=2)),
        scores=draw(st.dictionaries(names, st.dictionaries(texts(), RATIOS, max_size=3), max_size=2)),
        extra=extra,
    )


@settings(max_examples=150, deadline=None)
@given(articles=st.lists(any_articles(), max_size=4))
def test_file_round_trip(path, articles):
    jsonl.write(articles, path)
    back = list(read_articles(path))
    assert back == articles
    assert [[span.score for span in article.spans] for article in back] == [[span.score for span in article.spans] for article in articles]


def test_row_holds_the_contract_in_order():
    article = make_article("7", "In [Gao](LOCATION).", labels={"topics": ("bombing",)}, extra={"url": "x"})
    row = '{"id": "7", "text": "In Gao.", "spans": [{"start": 3, "end": 6, "label": "LOCATION", "text": "Gao"}], '
    assert jsonl.format_row(article) == row + '"labels": {"topics": ["bombing"]}, "url": "x"}'


def test_every_system_writes_the_same_bytes(tmp_path):
    jsonl.write([make_article("é"), make_article("2")], tmp_path / "rows.jsonl")
    assert (tmp_path / "rows.jsonl").read_bytes() == (
        '{"id": "é", "text": "Rain fell.", "spans": []}\n{"id": "2", "text": "Rain fell.", "spans": []}\n'.encode()
    )


def test_lenient_where_nothing_is_lost(tmp_path):
    rows = '\ufeff{"text": "one", "spans": null}\r\n\n{"id": 12, "text": "two", "topics": ["bombing"], "region": "sahel"}'
    write_files(tmp_path, {"rows.jsonl": rows})
    one, two = read_articles(tmp_path / "rows.jsonl")
    assert (one.id, one.text, two.id) == ("rows:1", "one", "12")
    assert (two.classes("topics"), two.classes("region")) == (("bombing",), ("sahel",))
    assert two.where() == f"{tmp_path / 'rows.jsonl'}:3: article '12'"


SPAN = {"start": 0, "end": 3, "label": "LOCATION"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{'id': 1}", "not JSON"),
        ('{"text": "cut of', "not JSON"),
        ('{"text": "Gao", "n": ' + "1" * 5000 + "}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["Gao"]', "expected a JSON object, found list"),
        ({"id": "a", "body": "Gao"}, "no string under 'text'; the row has: id, body"),
        ({"text": 3}, "no string under 'text'"),
        ({"text": "Gao \ud83d"}, "half of a surrogate pair"),
        ({"text": "Gao", "id": "\udc00"}, "half of a surrogate pair"),
        ({"text": "Gao", "url": ["\ud83d"]}, "half of a surrogate pair"),
        ({"text": "Gao", "id": True}, "'id' must be a string or a whole number, found True"),
        ({"text": "Gao", "id": None}, "'id' must be a string or a whole number, found None"),
        ({"text": "Gao", "spans": {}}, "'spans' must be a JSON array"),
        ({"text": "Gao", "labels": ["bombing"]}, "'labels' must be a JSON object"),
        ({"text": "Gao", "labels": {"topics": "bombing"}}, "'labels' must map each field to a list"),
        ({"text": "Gao", "scores": {"topics": 0.5}}, "'scores' must map each field to an object"),
        ({"text": "Gao", "spans": [[0, 3, "LOCATION"]]}, "a span needs 'start', 'end' and 'label'"),
        ({"text": "Gao", "spans": [{**SPAN, "start": "0"}]}, "must be whole numbers"),
        ({"text": "Gao", "spans": [{**SPAN, "end": True}]}, "must be whole numbers"),
        ({"text": "Gao", "spans": [{**SPAN, "label": ""}]}, "'label' a word"),
        ({"text": "Gao", "spans": [{**SPAN, "score": "high"}]}, "'score' must be a number"),
        ({"text": "Gao", "spans": [{**SPAN, "text": "Kidal"}]}, "reads 'Gao' in the text, but the file says 'Kidal'"),
        ({"text": "Gao", "spans": [{**SPAN, "end": 4}]}, "span LOCATION [0, 4) is empty or outside the text of 3 characters"),
        (b'{"text": "caf\xe9"}', "not UTF-8: byte 0xe9 at byte 13"),
        (b'{"text": "\0"}', "binary (NUL byte at byte 10)"),
    ],
)
def test_bad_row_is_refused_or_rejected_with_its_line(tmp_path, row, problem):
    line = row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode()
    path = write_files(tmp_path, {"rows.jsonl": b'{"text": "one"}\n' + line + b'\n{"text": "three"}\n'}) / "rows.jsonl"
    with refused(f"{path}:2: ", problem):
        list(read_articles(path))
    rejected = []
    assert [article.text for article in read_articles(path, reject=rejected.append)] == ["one", "three"]
    assert [(error.source.path, error.source.line, problem in error.reason) for error in rejected] == [(str(path), 2, True)]


TOKEN_SPAN = {"start": 3, "end": 6, "token_start": 1, "token_end": 1, "label": "LOCATION"}
OBJECT = {"id": 1, "label": "LOCATION", "start_offset": 3, "end_offset": 6}


@pytest.mark.parametrize(
    ("row", "format"),
    [
        ({"answer": "accept", "_input_hash": 1}, "prodigy"),
        ({"answer": "accept", "spans": [TOKEN_SPAN]}, "prodigy"),
        ({"label": [[3, 6, "LOCATION"]]}, "doccano"),
        ({"entities": [OBJECT], "relations": []}, "doccano"),
        ({"answer": "accept", "spans": [{"start": 3, "end": 6, "label": "LOCATION", "text": "Gao", "score": 0.5}]}, None),
        ({"label": ["raid"], "entities": [["Gao", "LOCATION"]], "answer": ["yes"]}, None),
        ({"label": [[3, 6, "LOCATION"]], "spans": []}, None),
    ],
)
def test_exports_of_other_tools_are_told_once_a_file(tmp_path, caplog, row, format):
    write_files(tmp_path, {"in.jsonl": (json.dumps({"text": "In Gao.", **row}) + "\n") * 2})
    assert len(list(read_articles(tmp_path / "in.jsonl"))) == 2
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (format is not None)
    assert not told or (f"{tmp_path / 'in.jsonl'}:1: looks like an export of " in told[0] and f"give format={format}" in told[0])


@pytest.mark.parametrize("answer", ["reject", "ignore"])
def test_spans_that_somebody_rejected_are_refused(tmp_path, answer):
    write_files(tmp_path, {"in.jsonl": json.dumps({"text": "In Gao.", "answer": answer, "spans": [TOKEN_SPAN]}) + "\n"})
    with refused("in.jsonl:1: 'answer' is", answer, "format=prodigy"):
        list(read_articles(tmp_path / "in.jsonl"))


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-0.1", "1.5", "true", '"high"'])
@pytest.mark.parametrize(
    "row", ['"spans": [{"start": 3, "end": 6, "label": "L", "score": SCORE}]', '"scores": {"topics": {"raid": SCORE}}']
)
def test_scores_are_numbers_from_0_to_1(tmp_path, row, score):
    write_files(tmp_path, {"in.jsonl": f'{{"text": "In Gao.", {row.replace("SCORE", score)}}}\n'})
    with refused("in.jsonl:1: ", "score"):
        list(read_articles(tmp_path / "in.jsonl"))
