import pytest
from factories import flat_spans, make_article, refused, texts, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.formats import annotated, read_articles
from sitrep.formats.faults import Losses
from sitrep.formats.writing import Target


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("annotated")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_file_round_trip(folder, data):
    text = data.draw(texts()).strip("\r\n")
    spans = tuple(Span(*span) for span in data.draw(flat_spans(len(text))))
    classes = st.lists(st.sampled_from(["no", "007", "air-strike"])).map(tuple)
    labels = data.draw(st.dictionaries(st.sampled_from(["topics", "region"]), classes, max_size=2))
    article = Article("a", text, spans, labels, extra={"title": data.draw(texts())})
    annotated.write([article], folder, Target())
    assert list(read_articles(folder / "a.md")) == [article]


TITLES = ["a\x85b", "\x85", "---", "a\n---\nb", ": #", "'\"", "007", "null", "", " ", "🚁 غزة", "x" * 20_000, "x y " * 5000]


@pytest.mark.parametrize("title", TITLES, ids=lambda title: ascii(title[:9]))
def test_awkward_titles_come_back(folder, title):
    annotated.write([make_article("a", extra={"title": title})], folder, Target())
    assert [article.extra for article in read_articles(folder / "a.md")] == [{"title": title}]


@pytest.mark.parametrize(
    ("body", "text", "spans"),
    [
        ("[Gao](LOCATION)[Amina](PERSON)", "GaoAmina", [(0, 3, "LOCATION"), (3, 8, "PERSON")]),
        (r"\[sic\] (no mark) C:\\dir", r"[sic] (no mark) C:\dir", []),
        (r"[a\]b](X)", "a]b", [(0, 3, "X")]),
        ("\r\n\n  two\r\nlines \n\n", "  two\r\nlines ", []),
        ("", "", []),
    ],
)
def test_marks_by_hand(tmp_path, body, text, spans):
    write_files(tmp_path, {"a.md": f"---\nid: a\n---\n{body}"})
    (article,) = read_articles(tmp_path)
    assert (article.text, [(span.start, span.end, span.label) for span in article.spans]) == (text, spans)


def test_front_matter_scalars_stay_as_written(tmp_path):
    write_files(tmp_path, {"a.md": "---\r\nid: 007\r\ndate: 2021-03-04\r\nflag: no\r\ntopics: [1, yes]\r\n---\r\nText.\r\n"})
    (article,) = read_articles(tmp_path)
    assert (article.id, article.text) == ("007", "Text.")
    assert article.extra == {"date": "2021-03-04", "flag": "no", "topics": ["1", "yes"]}


def test_line_numbers_are_those_of_the_file(tmp_path):
    write_files(tmp_path, {"a.md": "---\nid: a\n---\n\nOne.\nIn [Gao](LOCATION).\n"})
    (article,) = read_articles(tmp_path)
    assert article.where(article.spans[0]) == f"{tmp_path / 'a.md'}:6: article 'a'"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("He saw [Amina leave.", "unclosed mark"),
        ("the [[Gao](LOCATION) brigade](ARMED_GROUP)", "nested or unclosed mark"),
        ("[Amina left [Gao](LOCATION)", "nested or unclosed mark"),
        ("saw Gao](LOCATION)", "']' without an open mark"),
        ("[](LOCATION)", "empty mark"),
        ("[sic] he said", "mark without a label"),
        ("[Gao](BIG TOWN)", "mark without a label"),
        (r"[Gao](LOCATION) C:\dir", r"a literal backslash is written \\"),
        ("at the end \\", r"a literal backslash is written \\"),
    ],
)
def test_bad_mark_names_file_and_line(tmp_path, line, problem):
    write_files(tmp_path, {"a.md": f"---\nid: a\n---\nFirst line.\n{line}"})
    with refused(f"{tmp_path / 'a.md'}:5: ", problem):
        list(read_articles(tmp_path))


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("Just text.\n", 1, "no front matter"),
        ("---\nid: a\nText that never closes it.\n", 1, "no front matter"),
        ("---\ntitle: T\n---\nText.", 1, "no 'id:'"),
        ("---\nid: [a, b]\n---\nText.", 1, "no 'id:'"),
        ("---\n- id: a\n---\nText.", 1, "expected 'key: value' lines"),
        ("---\nid: a\ntitle: 'open\n---\nText.", 4, "bad front matter"),
        ("---\nid: a\ntopics: [bombing\nn: 1\n---\nText.", 4, "bad front matter"),
        ("---\nid: a\nlabels: bombing\n---\nText.", 1, "'labels' must map each field to a list"),
        ("---\nid: a\nlabels: {topics: bombing}\n---\nText.", 1, "'labels' must map each field to a list"),
    ],
)
def test_bad_front_matter(tmp_path, content, line, problem):
    write_files(tmp_path, {"a.md": content})
    with refused(f"{tmp_path / 'a.md'}:{line}: ", problem):
        list(read_articles(tmp_path, format="annotated"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("---\nid: a\n---\nText", True),
        ("---\nvid: a\n---\nText", False),
        ("# Title\n\nid: a\n", False),
        ("---\nid: a\n", False),
        ("", False),
    ],
)
def test_is_annotated(content, expected):
    assert annotated.is_annotated(content) is expected


@pytest.mark.parametrize(
    ("article", "body", "lost"),
    [
        (Article("a", "in Gao", (Span(0, 6, "X"), Span(3, 6, "Y"))), "[in Gao](X)", {"overlapping mentions": "Y 'Gao' [3, 6)"}),
        (
            Article("a", "in Gao", (Span(3, 6, "BIG TOWN"),)),
            "in Gao",
            {"mentions whose label holds white space or parentheses": "BIG TOWN 'Gao' [3, 6)"},
        ),
        (
            Article("a", "\nin Gao\n\n", (Span(4, 7, "X"), Span(4, 8, "Y"))),
            "in [Gao](X)",
            {"newlines around texts": "3 characters", "mentions of newlines around texts": "Y 'Gao\\n' [4, 8)"},
        ),
        (Article("a", "Gao", (Span(0, 3, "X", 0.5),)), "[Gao](X)", {"scores": "of mentions or classes"}),
        (Article("a", "Gao", extra={"n": 7, "m": "7"}), "Gao", {"types of other fields": "n: 7 becomes '7'"}),
        (Article("a", "Gao", labels={"n": (7,)}), "Gao", {"types of class labels": "n: (7,) become ('7',)"}),
        (Article(" ", "Gao"), "Gao", {"ids": "' ' becomes 'article'"}),
    ],
)
def test_what_cannot_be_held_is_reported_and_the_rest_written(article, body, lost):
    losses = Losses(keep=9)
    written = annotated.format_article(article, Target(losses))
    assert written.rpartition("---\n")[2] == f"{body}\n"
    assert {loss.what: loss.detail for loss in losses.kept} == lost and losses.counts.total() == len(lost)


def test_a_value_that_stands_twice_is_written_twice(tmp_path):
    shared = ["x"]
    annotated.write([Article("a", "Gao", extra={"one": shared, "two": shared})], tmp_path, Target())
    assert [article.extra for article in read_articles(tmp_path)] == [{"one": ["x"], "two": ["x"]}]


def test_format_article_is_readable_by_people():
    article = make_article("a-1", "[Gao](LOCATION) fell.", extra={"title": "Über Gao"}, labels={"topics": ("bombing",)})
    expected = "---\nid: a-1\ntitle: Über Gao\nlabels:\n  topics:\n  - bombing\n---\n[Gao](LOCATION) fell.\n"
    assert annotated.format_article(article, Target()) == expected
