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


def test_a_group_makes_the_mistakes_of_most_of_its_seeds():
    nothing = [make_article("b", "Gao and Kidal"), make_article("a", "Amina")]
    assert changes([nothing, nothing, GOLD], [GOLD])[0] == [("b", "missed", "Gao"), ("a", "missed", "Amina")]
    assert changes([nothing, GOLD, GOLD], [GOLD]) == [[], []]
    assert changes([nothing, GOLD], [GOLD]) == [[], []]  # a half is not most
