"""The data doctor's rules for one article, each by hand; overlaps against a count of all pairs."""

import itertools

import pytest
from factories import LABELS, make_article
from hypothesis import given
from hypothesis import strategies as st

from sitrep.articles import Article, Source, Span
from sitrep.checks import check_subject
from sitrep.findings import ERROR, NOTE, WARNING, Repair, row_of
from sitrep.formats.faults import DISCONTINUOUS, DUPLICATE, EMPTY, OUTSIDE, SURFACE, Fault, Mark
from sitrep.subjects import Subject

SOURCE = Source("a.jsonl", 7)


def find(article, faults=(), **declared):
    return check_subject(Subject(article, faults, declared))


def rules(article, faults=(), **declared):
    return [(finding.rule, finding.severity) for finding in find(article, faults, **declared)]


def fault(kind, start, end, surface=None, label="LOCATION", reason="why"):
    return Fault(kind, "a", Mark(start, end, label, surface, SOURCE), reason)


def test_a_clean_article_has_nothing_wrong():
    article = make_article("a", "[Ali](PERSON) of the U.S. went to [Gao](LOCATION)-ville, [Ali](PERSON) said.", labels={"topics": ("x",)})
    assert find(article, entities=LABELS, topics=["x"]) == []


@pytest.mark.parametrize(("text", "expected"), [("", [("no-text", ERROR)]), (" \n", [("no-text", ERROR)]), ("Rain.", [("no-marks", NOTE)])])
def test_articles_without_text_or_marks(text, expected):
    assert rules(Article("a", text)) == expected


@pytest.mark.parametrize(
    ("text", "span", "rule", "repair"),
    [
        ("in Gao now", (3, 7), "space", Repair((3, 6), safe=True)),
        ("in  Gao", (2, 7), "space", Repair((4, 7), safe=True)),
        ("in Gao, now", (3, 7), "punctuation", Repair((3, 6), safe=False)),
        ("the campaign", (0, 8), "inside-word", Repair((0, 12), safe=False)),
        ("northern", (5, 8), "inside-word", Repair((0, 8), safe=False)),
    ],
)
def test_the_edges_of_a_mark(text, span, rule, repair):
    (finding,) = find(Article("a", text, (Span(*span, "LOCATION"),), source=SOURCE))
    assert (finding.rule, finding.severity, finding.repair, finding.where) == (rule, WARNING, repair, "a.jsonl:7")
    assert (finding.start, finding.end, finding.label) == (*span, "LOCATION")


def test_a_mark_of_white_space_only_has_no_repair():
    (finding,) = find(Article("a", "in  Gao", (Span(2, 4, "LOCATION"),)))
    assert finding.rule == "space" and finding.repair is None


def test_the_line_of_a_mark_is_that_of_the_text_where_the_file_is_text():
    article = Article("a", "Rain.\nin Gao now", (Span(9, 13, "LOCATION"),), source=Source("a.md", 5, is_text=True))
    (finding,) = find(article)
    assert finding.where == "a.md:6"


def test_faults_of_marks_become_findings_at_their_line():
    faults = [
        fault(EMPTY, 2, 2),
        fault(OUTSIDE, 90, 94, "Bamako"),
        fault(DISCONTINUOUS, 0, 9),
        fault(DUPLICATE, 3, 6),
        fault(SURFACE, 3, 6, "Mopti"),
    ]
    article = Article("a", "in Gao", (Span(3, 6, "LOCATION"),))
    found = {finding.rule: finding for finding in find(article, faults)}
    assert list(found) == ["empty", "outside", "gaps", "duplicate", "value"]
    assert all(finding.severity == ERROR and finding.where == "a.jsonl:7" for finding in found.values())
    assert "text of 6 characters" in found["outside"].message and "'Bamako'" in found["outside"].message
    assert found["value"].message == "the text reads 'Gao', the file says 'Mopti'"
    assert found["duplicate"].repair == Repair(None, safe=True)


@pytest.mark.parametrize(("text", "said"), [("Ali “Tex” Sow", "Ali 'Tex' Sow"), ("Ali\nSow", "Ali Sow"), ("2014–15", "2014-15")])
def test_a_value_in_other_quotes_or_white_space_is_a_warning(text, said):
    article = Article("a", text, (Span(0, len(text), "PERSON"),))
    assert rules(article, [fault(SURFACE, 0, len(text), said, "PERSON")]) == [("value", WARNING)]


def test_shifted_marks_are_one_finding_each_and_judged_where_they_belong():
    article = make_article("a", "🚁 In [Gao](LOCATION) and [Mopti](LOCATION), then rain.")
    shifted = tuple(Span(span.start + 1, span.end + 1, span.label) for span in article.spans)
    found = find(Article("a", article.text, shifted))
    assert [finding.rule for finding in found] == ["offsets", "offsets"]
    assert [finding.repair for finding in found] == [Repair((span.start, span.end), safe=False, is_offset=True) for span in article.spans]
    assert found[0].message == "'ao ' is 'Gao' counted in UTF-16 units: [5, 8)"


def test_a_shifted_mark_beyond_the_end_is_found_by_its_text():
    (finding,) = find(Article("a", "🚁 in Gao"), [fault(OUTSIDE, 6, 9, "Gao")])
    assert (finding.rule, finding.repair) == ("offsets", Repair((5, 8), safe=True, is_offset=True))
    assert finding.message.endswith("is 'Gao' counted in UTF-16 units: [5, 8), as the file says")


def test_undeclared_labels_of_mentions_and_classes():
    article = make_article("a", "[Gao](LOCATON)", labels={"topics": ("bombings",)})
    found = find(article, entities=LABELS, topics=["bombing"], region=["x"])
    assert [(finding.rule, finding.severity, finding.message) for finding in found] == [
        ("label", ERROR, "'LOCATON' is not declared; did you mean 'LOCATION'?"),
        ("label", ERROR, "topics: 'bombings' is not declared; did you mean 'bombing'?"),
        ("no-class", WARNING, "has no field 'region'"),
    ]
    assert find(article) == []


def test_the_second_of_two_equal_marks_is_a_duplicate():
    span = Span(3, 6, "LOCATION")
    found = find(Article("a", "in Gao", (span, span, span)))
    assert [(finding.rule, finding.repair) for finding in found] == [("duplicate", Repair(None, safe=True))] * 2


def test_overlaps_are_told_apart():
    text = "the Bank of Gao Branch"
    spans = (Span(4, 15, "A"), Span(12, 15, "B"), Span(4, 15, "C"), Span(12, 22, "D"))
    found = find(Article("a", text, spans))
    kinds = [(finding.label, finding.kind, finding.n) for finding in found if finding.rule == "overlap"]
    assert sorted(kinds) == [("B", "nested", 3), ("C", "same characters", 1), ("D", "crossing", 2)]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6), st.sampled_from("AB")), max_size=12))
def test_overlapping_pairs_are_those_that_share_a_character(rows):
    spans = sorted({Span(start, start + length, label) for start, length, label in rows})
    pairs = [(a, b) for a, b in itertools.combinations(spans, 2) if a.start < b.end and b.start < a.end]
    equal = sum((a.start, a.end) == (b.start, b.end) for a, b in pairs)
    nested = sum((a.start <= b.start and b.end <= a.end) or (b.start <= a.start and a.end <= b.end) for a, b in pairs) - equal
    found = [finding for finding in find(Article("a", "-" * 18, tuple(spans))) if finding.rule == "overlap"]
    counted = {kind: sum(finding.n for finding in found if finding.kind == kind) for kind in ("same characters", "nested", "crossing")}
    assert counted == {"same characters": equal, "nested": nested, "crossing": len(pairs) - equal - nested}


@pytest.mark.parametrize(
    ("marked", "unmarked"),
    [
        ("[Gao](LOCATION) and Gao", ["Gao"]),
        ("[Gao](LOCATION) and gao", []),
        ("[Gao](LOCATION) and Gaoville", []),
        ("[Gao](LOCATION) and Gao-led", ["Gao"]),
        ("[Gao](LOCATION) and [Radio Gao](ORGANISATION)", []),
        ("[car bomb](WEAPON) and car bomb", []),
        ("[Gao](LOCATION) [Gao Radio](ORGANISATION): Gao Radio", ["Gao Radio"]),
        ("['Akkar](LOCATION) and 'Akkar", ["'Akkar"]),
        ("[غزة](LOCATION) ثم غزة", ["غزة"]),
        ("[Ali](PERSON), Ali, Ali", ["Ali", "Ali"]),
    ],
)
def test_names_that_are_marked_elsewhere(marked, unmarked):
    article = make_article("a", marked)
    found = [finding for finding in find(article) if finding.rule == "unmarked"]
    assert [article.text[finding.start : finding.end] for finding in found] == unmarked


def test_a_row_of_the_report_holds_the_text_around_the_mark():
    article = Article("a", "x" * 80 + " in Gao now", (Span(84, 88, "LOCATION"),), source=SOURCE)
    (finding,) = find(article)
    row = row_of(finding, article)
    assert (row["before"], row["text"], row["after"]) == ("x" * 56 + " in ", "Gao ", "now")
    assert row["repair"] == {"action": "move", "start": 84, "end": 87, "safe": True}
    assert (row["rule"], row["severity"], row["id"], row["where"], row["n"]) == ("space", WARNING, "a", "a.jsonl:7", 1)
