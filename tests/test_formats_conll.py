import pytest
from factories import LABELS, flat_spans, refused, write_files
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from sitrep.articles import Span
from sitrep.formats import read_articles
from sitrep.labels import TagSet

ROWS = "-DOCSTART- O\n\nRiver\tB-ARMED_GROUP\nArmy\tI-ARMED_GROUP\nleft\tO\nGao\tB-LOCATION\n\n\nRain\tO\n.\tO\n"


def marked(article):
    return [(article.surface(span), span.label) for span in article.spans]


def test_each_sentence_is_an_article(tmp_path):
    write_files(tmp_path, {"x/train.conll": ROWS})
    one, two = read_articles(tmp_path)
    assert (one.id, one.text, two.id, two.text) == ("x/train-1", "River Army left Gao", "x/train-2", "Rain .")
    assert marked(one) == [("River Army", "ARMED_GROUP"), ("Gao", "LOCATION")]
    assert (one.source.line, two.source.line, two.spans) == (3, 9, ())


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.replace("\n", "\r\n"),
        lambda rows: rows.replace("\t", "  "),
        lambda rows: rows.replace("\t", " NN _ "),
        lambda rows: rows.replace("\t", "\tNN\t"),
        lambda rows: f"\ufeff{rows}",
        lambda rows: f"\ufeff{rows.removeprefix('-DOCSTART- O')}",
        lambda rows: rows.rstrip("\n"),
        lambda rows: rows.replace("\n\n", "\n \t\n"),
    ],
)
def test_what_writers_of_the_format_do_differently_changes_nothing(tmp_path, change):
    write_files(tmp_path, {"a.txt": ROWS, "b.txt": change(ROWS)})
    a, b = (list(read_articles(tmp_path / name, format="conll")) for name in ("a.txt", "b.txt"))
    assert [(one.text, one.spans) for one in a] == [(two.text, two.spans) for two in b]


def test_a_token_may_hold_any_space_but_the_separator(tmp_path):
    write_files(tmp_path, {"a.conll": "10\u00a0000 km\tB-A\n\u2028\tO\n\u00a0 O\n"})
    (article,) = read_articles(tmp_path)
    assert article.text == "10\u00a0000 km \u2028 \u00a0"
    assert article.spans == (Span(0, 9, "A"),)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("conll") / "rows.conll"


TOKENS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=" \ufeff"), min_size=1, max_size=8)
SENTENCES = st.lists(TOKENS, min_size=1, max_size=8).filter(lambda tokens: tokens[0] != "-DOCSTART-")


def write_rows(path, sentences):
    path.write_bytes("\n\n".join("\n".join(f"{token}\t{tag}" for token, tag in rows) for rows in sentences).encode())


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_tags_round_trip(path, data):
    tag_set = TagSet(LABELS)
    sentences = [(tokens, data.draw(flat_spans(len(tokens)))) for tokens in data.draw(st.lists(SENTENCES, min_size=1, max_size=3))]
    rows = [
        list(zip(tokens, (tag_set.tags[tag_id] for tag_id in tag_set.encode(spans, len(tokens))), strict=True))
        for tokens, spans in sentences
    ]
    write_rows(path, rows)
    articles = list(read_articles(path))
    assert [article.text for article in articles] == [" ".join(tokens) for tokens, _ in sentences]
    expected = [[(" ".join(tokens[start:end]), label) for start, end, label in spans] for tokens, spans in sentences]
    assert [marked(article) for article in articles] == expected


@settings(max_examples=100, deadline=None)
@given(tags=st.lists(st.sampled_from(TagSet(LABELS[:2]).tags), min_size=1, max_size=10))
def test_any_sequence_of_tags_is_read_as_seqeval_reads_it(path, tags):
    write_rows(path, [[("x", tag) for tag in tags]])
    (article,) = read_articles(path)
    expected = [Span(2 * first, 2 * last + 1, label) for label, first, last in get_entities(tags)]
    assert list(article.spans) == expected


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Gao", "expected 'TOKEN<TAB>TAG', found 'Gao'; a blank line stands between sentences"),
        ("Gao\t", "expected 'TOKEN<TAB>TAG', found 'Gao\\t'"),
        ("\tO", "expected 'TOKEN<TAB>TAG', found '\\tO'"),
        ("Gao\tLOCATION", "'LOCATION' on 'Gao' is no tag; tags are O, B-LABEL and I-LABEL (IOB2)"),
        ("Gao\tB-", "'B-' on 'Gao' is no tag"),
        ("Gao\tS-LOCATION", "'S-LOCATION' on 'Gao' is no tag"),
        ("Gao\to", "'o' on 'Gao' is no tag"),
        (b"S\xe9gou\tO", "not UTF-8: byte 0xe9 at byte 1"),
    ],
)
def test_bad_row_rejects_its_sentence_and_names_file_and_line(tmp_path, row, problem):
    row = row if isinstance(row, bytes) else row.encode()
    write_files(tmp_path, {"a.conll": b"Rain\tO\n\nIn\tO\n" + row + b"\n\nWind\tO\n"})
    with refused(f"{tmp_path / 'a.conll'}:4: {problem}"):
        list(read_articles(tmp_path))
    rejected = []
    assert [article.id for article in read_articles(tmp_path, reject=rejected.append)] == ["a-1", "a-3"]
    assert [error.source.line for error in rejected] == [4]


def test_reading_is_a_stream(tmp_path):
    write_files(tmp_path, {"a.conll": "Rain\tO\n\nGao\n"})
    assert next(read_articles(tmp_path)).text == "Rain"
