"""Agreement: kappa against scikit-learn, F1 by hand, disagreements by kind, and what cannot be compared."""

import math
from collections import Counter

import pytest
from factories import LABELS, flat_spans, make_article, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from sitrep.agreement import WORD, against_the_rest, confuse_words, disagreements, kappa, measure, pair_up
from sitrep.articles import Article, Span
from sitrep.formats.faults import Losses

TEXT = "Ali Sow left Gao on Monday, and the Red Front took Mopti without a fight."
A = make_article(
    "a", "[Ali Sow](PERSON) left [Gao](LOCATION) on Monday, and the [Red Front](ARMED_GROUP) took [Mopti](LOCATION) without a fight."
)
B = make_article("a", "[Ali](PERSON) Sow left [Gao](LOCATION) on [Monday](DATE), and the [Red Front](PERSON) took Mopti without a fight.")


def tags(article):
    """Return the label of each word, looked up one by one; outside all mentions None."""
    words = [match.span() for match in WORD.finditer(article.text)]
    return [next((s.label for s in sorted(article.spans) if s.start < end and start < s.end), None) for start, end in words]


@st.composite
def annotated_twice(draw):
    text = draw(st.text(st.sampled_from("ab é🚁\n-'"), min_size=1, max_size=40))
    return [Article("a", text, tuple(Span(*row) for row in draw(flat_spans(len(text))))) for _ in range(2)]


@settings(max_examples=150, deadline=None)
@given(annotated_twice())
def test_kappa_is_that_of_scikit_learn(pair):
    confusion = confuse_words(*pair, Losses())
    of_a, of_b = map(tags, pair)
    assert confusion == Counter(zip(of_a, of_b, strict=True))
    check = [([str(tag) for tag in of_a], [str(tag) for tag in of_b], kappa(confusion))]
    for label in LABELS:
        check.append(([tag == label for tag in of_a], [tag == label for tag in of_b], kappa(against_the_rest(confusion, label))))
    for one, other, ours in check:
        if len({*one, *other}) < 2:
            assert ours is None  # no words, or nothing but one label: chance alone agrees
        else:
            assert math.isclose(ours, cohen_kappa_score(one, other), abs_tol=1e-12)


def test_kappa_by_hand():
    counts = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    assert kappa(counts) == pytest.approx(0.4)  # p_o 0.7, p_e 0.5
    assert kappa({}) is None
    assert kappa({("O", "O"): 9}) is None


def test_a_label_may_be_called_like_what_is_outside_all_mentions():
    text = "Gao fell. Gao rose."
    a, b = Article("a", text, (Span(0, 3, "O"),)), Article("a", text)
    measured = measure(pair_up([a], [b]))["kappa"]
    assert (measured["words"], measured["marked_words"], measured["per_label"]) == (0, 0, {"O": 0})


def test_words_take_the_longest_of_marks_that_overlap():
    nested = Article("a", "Bank of Gao", (Span(8, 11, "LOCATION"), Span(0, 11, "ORGANISATION")))
    losses = Losses()
    assert confuse_words(nested, nested, losses) == {("ORGANISATION", "ORGANISATION"): 3}
    assert losses.counts.total() == 2
    assert measure(pair_up([nested], [nested]))["kappa"]["n_overlapping"] == 2


def test_combining_marks_do_not_cut_words():
    assert WORD.findall("Se\u0301gou's 12 may\u200cbe") == ["Se\u0301gou", "s", "12", "may\u200cbe"]


def test_f1_and_kappa_of_two_annotators():
    measured = measure(pair_up([A], [B]))
    assert measured["labels"] == ["ARMED_GROUP", "DATE", "LOCATION", "PERSON"]
    strict, partial = measured["f1"]["strict"], measured["f1"]["partial"]
    assert strict["micro"]["f1"] == pytest.approx(2 / 8)  # Gao, of four marks each
    assert partial["micro"]["f1"] == pytest.approx(4 / 8)  # and Ali
    assert strict["per_label"]["LOCATION"]["f1"] == pytest.approx(2 / 3)
    assert measured["n_mentions"] == {
        "a": {"PERSON": 1, "LOCATION": 2, "ARMED_GROUP": 1},
        "b": {"PERSON": 2, "LOCATION": 1, "DATE": 1},
    }
    of_a, of_b = (list(map(str, tags(article))) for article in (A, B))
    assert measured["kappa"]["n_words"] == len(of_a) == 15
    assert measured["kappa"]["words"] == pytest.approx(cohen_kappa_score(of_a, of_b))
    marked = [pair for pair in zip(of_a, of_b, strict=True) if pair != ("None", "None")]
    assert measured["kappa"]["marked_words"] == pytest.approx(cohen_kappa_score(*zip(*marked, strict=True)))


def test_f1_is_the_same_from_either_side():
    one, other = (measure(pair_up([x], [y]))["f1"] for x, y in ((A, B), (B, A)))
    assert all(one[rule]["micro"]["f1"] == other[rule]["micro"]["f1"] for rule in ("strict", "partial"))


def test_disagreements_by_kind_with_what_stands_around():
    rows = list(disagreements(pair_up([A], [B]), []))
    assert [(row["kind"], row["detail"]) for row in rows] == [
        ("boundary", "too short"),
        ("missing in a", "spurious"),
        ("label", "wrong label"),
        ("missing in b", "missed"),
    ]
    assert rows[0]["a"] == [{"start": 0, "end": 7, "label": "PERSON", "text": "Ali Sow"}]
    assert rows[0]["b"] == [{"start": 0, "end": 3, "label": "PERSON", "text": "Ali"}]
    assert rows[1]["a"] == [] and rows[1]["before"].endswith("left Gao on ") and rows[1]["after"].startswith(", and")
    assert list(disagreements(pair_up([A], [A]), [])) == []


def classes(article_id, **labels):
    return Article(article_id, "Rain.", labels={name: tuple(values) for name, values in labels.items()})


def test_class_fields_of_one_label_each():
    a = [classes(str(n), region=[label]) for n, label in enumerate("xxyyz")]
    b = [classes(str(n), region=[label]) for n, label in enumerate("xyyyz")]
    of = measure(pair_up(a, b))["fields"]["region"]
    assert (of["n_articles"], of["n_equal"]) == (5, 4)
    assert of["kappa"] == pytest.approx(cohen_kappa_score(list("xxyyz"), list("xyyyz")))
    assert of["per_label"]["y"] == pytest.approx(cohen_kappa_score([0, 0, 1, 1, 0], [0, 1, 1, 1, 0]))
    assert list(disagreements(pair_up(a, b), ["region"])) == [{"id": "1", "kind": "class", "detail": "region", "a": ["x"], "b": ["y"]}]


def test_class_fields_of_several_labels_are_decisions():
    a = [classes("1", topics=["x", "y"]), classes("2", topics=[]), classes("3", topics=["y"])]
    b = [classes("1", topics=["x"]), classes("2", topics=["y"]), classes("3", topics=["y"])]
    of = measure(pair_up(a, b))["fields"]["topics"]
    assert of["kappa"] == pytest.approx(cohen_kappa_score([1, 0, 0, 1, 0, 1], [1, 0, 0, 0, 1, 1]))


def test_a_field_that_only_one_side_has_is_not_compared():
    assert measure(pair_up([classes("1", topics=["x"])], [classes("1")]))["fields"] == {}


def test_top_level_fields_are_compared_too():
    sides = [Article("1", "Rain.", extra={"region": value}) for value in ("x", "y")]
    assert measure(pair_up(sides[:1], sides[1:]))["fields"]["region"]["n_equal"] == 0


def test_ids_of_one_side_are_told_and_not_scored():
    pairs = pair_up([A, classes("only a")], [B, classes("only b")])
    assert (len(pairs.both), pairs.only_a, pairs.only_b) == (1, ["only a"], ["only b"])
    assert measure(pairs)["n_articles"] == 1


def test_what_cannot_be_compared_is_refused():
    with refused("a and b share no article", "x", "y"):
        pair_up([classes("x")], [classes("y")])
    with refused("b holds two articles of this id"):
        pair_up([A], [B, B])
    with refused("article 'a'", "from character 9 on: 'Mopti' against 'Gao'"):
        pair_up([Article("a", "There in Gao")], [Article("a", "There in Mopti")])
    with refused("from character 4 on: its end against ' in Gao'"):
        pair_up([Article("a", "Rain in Gao")], [Article("a", "Rain")])
