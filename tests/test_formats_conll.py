import pytest
from factories import LABELS, flat_spans, refused, write_files
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from sitrep.articles import Article, Span
from sitrep.formats import read_articles, write_articles
from sitrep.formats.faults import Losses
from sitrep.formats.writing import Target
from sitrep.labels import TagSet

ROWS = "River\tB-ARMED_GROUP\nArmy\tI-ARMED_GROUP\nleft\tO\nGao\tB-LOCATION\n\n\nRain\tO\n.\tO\n"


def marked(article):
    return [(article.surface(span), span.label) for span in article.spans]


def test_each_sentence_is_an_article(tmp_path):
    write_files(tmp_path, {"x/train.conll": ROWS})
    one, two = read_articles(tmp_path)
    assert (one.id, one.text, two.id, two.text) == ("x/train-1", "River Army left Gao", "x/train-2", "Rain .")
    assert marked(one) == [("River Army", "ARMED_GROUP"), ("Gao", "LOCATION")]
    assert (one.source.line, two.source.line, two.spans) == (1, 7, ())


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.replace("\n", "\r\n"),
        lambda rows: rows.replace("\t", "  "),
        lambda rows: rows.replace("\t", " NN _ "),
        lambda rows: rows.replace("\t", "\tNN\t"),
        lambda rows: f"\ufeff{rows}",
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


DOCUMENTS = '-DOCSTART-\t"sahel/1 \\n"\tO\n\n' + ROWS + "-DOCSTART- -X- -X- O\n\nWind\tO\n\n-DOCSTART- -X- O\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_that_opens_with_docstart_holds_documents(tmp_path, mark):
    write_files(tmp_path, {"a.conll": mark + DOCUMENTS})
    one, two, three = read_articles(tmp_path)
    assert (one.id, one.text) == ("sahel/1 \n", "River Army left Gao\nRain .")
    assert marked(one) == [("River Army", "ARMED_GROUP"), ("Gao", "LOCATION")]
    assert [(other.id, other.text, other.source.line) for other in (two, three)] == [("a-2", "Wind", 11), ("a-3", "", 15)]


def test_elsewhere_docstart_parts_sentences(tmp_path):
    write_files(tmp_path, {"a.conll": "Rain\tO\n-DOCSTART- O\nWind\tO\n"})
    assert [(article.id, article.text) for article in read_articles(tmp_path)] == [("a-1", "Rain"), ("a-2", "Wind")]


def test_a_bad_row_rejects_its_document(tmp_path):
    write_files(tmp_path, {"a.conll": DOCUMENTS.replace("Rain\tO", "Rain")})
    rejected = []
    assert [article.id for article in read_articles(tmp_path, reject=rejected.append)] == ["a-2", "a-3"]
    assert [error.source.line for error in rejected] == [9]


@pytest.mark.parametrize(
    "tags",
    [
        "I-X I-X O I-X B-X I-Y O",  # IOB1
        "B-X I-X O B-X B-X B-Y O",  # IOB2
        "B-X E-X O S-X S-X S-Y O",  # BIOES
        "B-X L-X O U-X U-X U-Y O",  # BILOU
    ],
)
def test_the_same_mentions_in_each_scheme(path, tags):
    write_rows(path, [[("x", tag) for tag in tags.split()]])
    (article,) = read_articles(path)
    assert article.spans == (Span(0, 3, "X"), Span(6, 7, "X"), Span(8, 9, "X"), Span(10, 11, "Y"))


BIOES = ["O", *(f"{part}-{label}" for part in "BIES" for label in LABELS[:2])]


@settings(max_examples=200, deadline=None)
@given(tags=st.lists(st.sampled_from(BIOES), min_size=1, max_size=10), is_bilou=st.booleans())
def test_broken_sequences_of_bioes_and_bilou_are_read_as_seqeval_reads_bioes(path, tags, is_bilou):
    letters = {"E": "L", "S": "U"} if is_bilou else {}
    write_rows(path, [[("x", letters.get(tag[0], tag[0]) + tag[1:]) for tag in tags]])
    expected = [Span(2 * first, 2 * last + 1, label) for label, first, last in get_entities(tags)]
    (article,) = read_articles(path)
    assert list(article.spans) == expected


def test_two_schemes_in_one_file_are_refused(tmp_path):
    write_files(tmp_path, {"a.conll": "Gao\tS-X\n\nRain\tO\nMali\tU-X\n"})
    with refused(f"{tmp_path / 'a.conll'}:4: 'U-X' on 'Mali': tags of BIOES (E, S) and of BILOU (L, U) in one file"):
        list(read_articles(tmp_path))


def test_a_heading_that_states_no_id_it_could_mean_is_refused(tmp_path):
    write_files(tmp_path, {"a.conll": '-DOCSTART-\t"a"b"\tO\n\nRain\tO\n'})
    with refused(f"{tmp_path / 'a.conll'}:1: ", "the middle column is no JSON string"):
        list(read_articles(tmp_path))


def test_written_by_hand(tmp_path):
    text = "In U.S. Camp-3 rain fell. Near\nGao, none."
    spans = (Span(3, 10, "X"), Span(8, 14, "LONG X"), Span(26, 34, "Y"))
    losses = Losses(keep=9)
    write_articles([Article("a", text, spans)], tmp_path / "a.conll", target=Target(losses))
    expected = (
        '-DOCSTART-\t"a"\tO\n\nIn\tO\nU\tB-X\n.\tI-X\nS\tI-X\n.\tI-X\nCa\tI-X\nmp\tO\n-\tO\n3\tO\nrain\tO\nfell\tO\n.\tO\n\n'
        "Near\tB-Y\nGao\tI-Y\n,\tO\nnone\tO\n.\tO\n\n"
    )
    assert (tmp_path / "a.conll").read_text() == expected
    kinds = {"white space of texts": 1, "mentions whose label holds white space": 1}
    assert losses.counts == kinds


def test_what_a_reader_rebuilds_loses_nothing(tmp_path):
    article = Article("a", "Rain fell in Gao\nWind rose", (Span(13, 16, "X"),))
    losses = Losses()
    write_articles([article], tmp_path / "a.conll", target=Target(losses))
    assert list(read_articles(tmp_path / "a.conll")) == [article] and not losses.counts


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
        ("Gao\tLOCATION", "'LOCATION' on 'Gao' is no tag; tags are O, B-LABEL and I-LABEL (IOB1, IOB2), with E-"),
        ("Gao\tB-", "'B-' on 'Gao' is no tag"),
        ("Gao\tX-LOCATION", "'X-LOCATION' on 'Gao' is no tag"),
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
