import pytest
from factories import make_article, make_task

from sitrep.changes import changed_items, changed_keys

GOLD = [make_article("b", "[Gao](LOCATION) and Kidal"), make_article("a", "[Amina](PERSON)")]


def info(**config):
    return {"commit": "1", "data_sha256": "x", "config": {"seed": 1, "model": {"head": "crf", "path": None}, **config}}


def test_keys_that_differ_are_listed_and_the_seed_is_not():
    other = {**info(seed=2, model={"head": "span", "path": None}, labels=["A"]), "commit": "2"}
    assert changed_keys(info(), other) == {"commit": ["1", "2"], "labels": [None, ["A"]], "model.head": ["crf", "span"]}
    assert changed_keys(info(), info(seed=3)) == {}


def changes(a, b):
    """Return (id, kind, text) of what B fixes and breaks; each side a list of predictions, one a seed."""
    found = changed_items(GOLD, a, b, make_task())
    return [[(row["id"], row["kind"], row["text"]) for row in found[name]] for name in ("fixed", "broken")]


def test_mistakes_are_mended_and_made_in_the_order_of_the_articles():
    spurious = [make_article("b", "[Gao](LOCATION) and [Kidal](LOCATION)"), make_article("a", "Amina")]
    mislabelled = [make_article("b", "[Gao](PERSON) and Kidal"), make_article("a", "[Amina](PERSON)")]
    assert changes([spurious], [GOLD]) == [[("b", "spurious", "Kidal"), ("a", "missed", "Amina")], []]
    assert changes([spurious], [mislabelled]) == [
        [("b", "spurious", "Kidal"), ("a", "missed", "Amina")],
        [("b", "missed", "Gao"), ("b", "spurious", "Gao")],
    ]


def test_groups_of_several_seeds_are_held_to_the_same_measure():
    nothing, other = [make_article("b", "Gao and Kidal"), make_article("a", "Amina")], [GOLD[0], make_article("a", "Amina")]
    found = changed_items(GOLD, [nothing, other, GOLD], [other], make_task())
    assert [(row["id"], row["a"], row["b"]) for row in found["fixed"]] == [("b", pytest.approx(1 / 3), 0)]
    assert [(row["id"], row["a"], row["b"]) for row in found["broken"]] == [("a", pytest.approx(2 / 3), 1)]
    assert (found["n_fixed"], found["n_broken"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    same = changed_items(GOLD, [nothing, other], [other, nothing], make_task())
    assert (same["fixed"], same["broken"]) == ([], []) and same["n_fixed"] == same["n_broken"] == 0.25
