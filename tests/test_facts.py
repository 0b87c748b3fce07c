"""What only all articles together tell: labels of the same words, copies, splits, rare labels."""

from dataclasses import replace

import pytest
from factories import LABELS, make_article

from sitrep.articles import Source
from sitrep.facts import Facts, is_unusual
from sitrep.findings import ERROR, NOTE, WARNING
from sitrep.subjects import Subject

NEWS = (
    "Rain fell over the valley for three days, and the river rose until the old bridge near the market was closed. "
    "Traders moved their stalls to the school, where the teachers had cleared the yard, and sold onions and salt until the water went down."
)


def gather(*articles, declared=None, splits=None):
    facts = Facts(declared or {}, (lambda article: splits.get(article.id)) if splits is not None else None)
    for number, article in enumerate(articles, start=1):
        facts.add(Subject(replace(article, source=Source("x.jsonl", number))))
    return facts


def news(article_id, text=NEWS, **fields):
    return make_article(article_id, text, **fields)


def found(facts):
    return {
        position: [(f.rule, f.severity) for f in facts.found_at(position)]
        for position in range(len(facts.entries))
        if facts.found_at(position)
    }


def test_ids_and_texts_that_stand_twice():
    facts = gather(news("a"), news("a", "Other."), news("b"))
    assert found(facts) == {1: [("id", ERROR)], 2: [("same-text", WARNING)]}
    assert facts.found_at(1)[0].message == "the id was already used by x.jsonl:1"
    assert facts.found_at(2)[0].message == "has the text of 'a' (x.jsonl:1)"


def test_near_duplicates_and_leaks_into_other_splits():
    articles = [news("a"), news("b", NEWS.replace("onions", "maize")), news("c", "Something else altogether was said on that day in town.")]
    assert found(gather(*articles)) == {1: [("near-duplicate", WARNING)]}
    facts = gather(*articles, splits={"a": "train", "b": "test", "c": "dev"})
    assert found(facts) == {1: [("leak", WARNING)]}
    assert facts.found_at(1)[0].message == "test: similarity 0.78 to 'a' (x.jsonl:1) in train"
    assert found(gather(*articles, splits={"a": "train", "b": "train", "c": "dev"})) == {1: [("near-duplicate", WARNING)]}


def test_equal_texts_in_two_splits_are_both():
    facts = gather(news("a"), news("b"), splits={"a": "train", "b": "dev"})
    assert found(facts) == {1: [("same-text", WARNING), ("leak", WARNING)]}


def test_empty_texts_are_no_copies():
    assert found(gather(news("a", ""), news("b", ""))) == {}


def test_an_article_in_no_split():
    assert found(gather(news("a"), splits={})) == {0: [("no-split", ERROR)]}


def test_a_large_family_of_near_duplicates_is_found_whole():
    words = NEWS.split()
    copies = [news(f"a{n}", " ".join([*words[:n], "again", *words[n:]])) for n in range(0, 40, 2)]
    assert len(found(gather(*copies))) == len(copies) - 1


def test_words_that_nearly_always_bear_another_label():
    usual = [make_article(f"a{n}", "[Hamra](LOCATION) is calm") for n in range(5)]
    odd = make_article("odd", "[Hamra](PERSON) is calm")
    facts = gather(*usual, odd)
    (finding,) = facts.unusual_labels(Subject(odd))
    assert (finding.rule, finding.severity, finding.label) == ("several-labels", WARNING, "PERSON")
    assert finding.message == "'Hamra' is LOCATION 5 times, and PERSON once"
    assert list(facts.unusual_labels(Subject(usual[0]))) == []
    assert [f for f in facts.general("x") if f.rule == "several-labels"] == []


def test_words_under_several_labels_are_noted_once():
    facts = gather(make_article("a", "[Hamra](LOCATION)"), make_article("b", "[Hamra](PERSON) [Hamra](PERSON)"))
    (finding,) = [f for f in facts.general("x") if f.rule == "several-labels"]
    assert (finding.severity, finding.article_id, finding.message) == (NOTE, "a", "'Hamra' bears several labels: PERSON 2, LOCATION 1")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [({"A": 4, "B": 1}, True), ({"A": 3, "B": 1}, False), ({"A": 8, "B": 3}, False), ({"A": 5, "B": 5}, False), ({"A": 40, "B": 10}, True)],
)
def test_unusual_is_rare_beside_what_is_frequent(labels, expected):
    assert is_unusual(labels, "B") is expected
    assert not is_unusual(labels, "A")


def rare(*labels):
    facts = gather(*(make_article(f"a{n}", f"[Gao{n}]({label})") for n, label in enumerate(labels)))
    return [(f.label, f.n, f.article_id) for f in facts.general("x") if f.rule == "rare-label"]


def test_rare_labels_that_resemble_a_frequent_one():
    assert rare(*["LOCATION"] * 60, "LOCATON") == [("LOCATON", 1, "a60")]
    assert rare(*["LOCATION"] * 10, "Location", "PERSON") == [("Location", 1, "a10")]
    assert rare(*["ARMED_GROUP"] * 3, "armed group".replace(" ", "-")) == [("armed-group", 1, "a3")]
    assert rare(*["label_1"] * 60, "label_2") == []
    several = rare(*["LOCATION"] * 60, "Location", "location", "LOCATON")
    assert several == [("LOCATON", 1, "a62"), ("Location", 1, "a60"), ("location", 1, "a61")]
    assert rare(*["LOCATION"] * 10, "LOCATON") == []  # too often to be a slip


def test_declared_labels_are_not_guessed_at():
    articles = [make_article(f"a{n}", "[Gao](LOCATION)") for n in range(60)]
    facts = gather(*articles, make_article("b", "[Gao](LOCATON)"), declared={"entities": LABELS})
    assert [f.rule for f in facts.general("x") if f.rule == "rare-label"] == []


def scarce(facts):
    return [(f.label, f.severity, f.message) for f in facts.general("x") if f.rule == "scarce"]


def test_labels_that_are_too_rare():
    many = make_article("a", "[Gao](LOCATION) " * 25, labels={"topics": ("x",)})
    facts = gather(many, declared={"entities": ["LOCATION", "PERSON"]})
    assert scarce(facts) == [("PERSON", NOTE, "PERSON: 0 in all, fewer than 20"), ("x", NOTE, "topics=x: 1 in all, fewer than 20")]
    other = make_article("b", "[Gao](LOCATION) [Ali](PERSON)", labels={"topics": ("x",)})
    assert scarce(gather(many, other, splits={"a": "train", "b": "test"})) == [
        ("LOCATION", NOTE, "LOCATION: train 25, dev 0, test 1; fewer than 20 are too few to tell"),
        ("PERSON", WARNING, "PERSON: train 0, dev 0, test 1; it cannot be learnt"),
        ("x", NOTE, "topics=x: train 1, dev 0, test 1; fewer than 20 are too few to tell"),
    ]


def test_no_text_is_kept():
    facts = gather(*(news(f"a{n}", f"{NEWS} {n}") for n in range(3)))
    assert (facts.n_marks, facts.n_characters) == (0, 3 * (len(NEWS) + 2))
    kept = [value for value in vars(facts).values() if NEWS[:40] in repr(value)]
    assert kept == []
