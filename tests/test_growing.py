from dataclasses import replace

import pytest
from factories import make_data, refused

from sitrep.articles import Article, Source, Span
from sitrep.growing import describe_change, plan_growth

WORDS = "the river army took the bridge at dawn and held it until the rain came down on the far bank of the wide brown water"


def words(n):
    """A text of its own for each number, without a shared shingle."""
    return " ".join(f"{word}{n}" for word in WORDS.split())


PLACE = (Span(0, 5, "LOCATION"),)


def article(n, text=None, spans=PLACE, **classes):
    labels = {name: tuple(values) for name, values in classes.items()}
    return Article(f"a{n}", text or words(n), spans, labels, source=Source("new.jsonl", n))


CORPUS = [article(n) for n in range(10)]
SPLITS = {f"a{n}": split for n, split in enumerate(["train"] * 6 + ["dev"] * 2 + ["test"] * 2)}
DATA_OPTIONS = {"labels": {"entities": ["LOCATION", "DATE"], "topics": ["bombing"]}, "stratify_by": ["entities"]}
DATA = make_data(**DATA_OPTIONS)


def plan(given, into=None, corpus=CORPUS, data=DATA):
    return plan_growth(corpus, given, data, SPLITS, into)


def test_new_articles_join_and_no_old_one_moves():
    growth = plan([article(n) for n in range(10, 20)])
    assert [a.id for a in growth.new] == [f"a{n}" for n in range(10, 20)]
    assert growth.splits.keys() == {a.id for a in growth.new} and set(growth.splits.values()) == {"train", "dev", "test"}
    assert (growth.changed, growth.same, growth.twins) == ((), (), {})


def test_all_can_be_sent_to_one_split():
    assert set(plan([article(n) for n in range(10, 14)], into="train").splits.values()) == {"train"}


def test_what_is_known_is_the_same_or_changed_and_other_fields_stay():
    old = [Article("a0", words(0), (Span(0, 5, "LOCATION"),), extra={"date": "2020-01-01", "topics": ["bombing"]}), *CORPUS[1:]]
    given = [article(0, spans=(Span(0, 5, "DATE"),)), article(1), article(2, topics=["bombing"])]
    growth = plan(given, corpus=old)
    assert describe_change(old[0], growth.changed[0]) == "only the import has DATE 'the0 ' [0, 5)"
    assert describe_change(CORPUS[2], growth.changed[1]) == "topics is [] in the corpus and ['bombing'] in the import"
    assert (growth.new, growth.same) == ((), ("a1",))
    first, second = growth.changed
    assert (first.spans, first.extra) == ((Span(0, 5, "DATE"),), {"date": "2020-01-01", "topics": ["bombing"]})
    assert (second.id, second.labels) == ("a2", {"topics": ("bombing",)})


def test_class_labels_given_take_the_place_of_those_at_top_level():
    old = [Article("a0", words(0), extra={"topics": ["bombing"]}), *CORPUS[1:]]
    (changed,) = plan([article(0, spans=(), topics=[])], corpus=old).changed
    assert (changed.labels, changed.extra) == ({"topics": ()}, {})


def test_scores_do_not_join():
    given = Article("new", words(99), (Span(6, 9, "DATE", 0.9), Span(0, 5, "DATE", 0.7)), scores={"topics": {"bombing": 0.4}})
    (new,) = plan([given]).new
    assert ([span.score for span in new.spans], new.scores) == ([None, None], {})
    assert [span.start for span in new.spans] == [0, 6]


def test_a_near_duplicate_joins_the_split_of_its_twin():
    near = f"{words(9)} and one more word"
    growth = plan([article(30, text=near), article(31)])
    assert (growth.splits["a30"], growth.twins) == ("test", {"a30": "a9"})
    with refused("new.jsonl:30", "a near-duplicate of a9, which is in test: in train it would be a leak", "leave out split="):
        plan([article(30, text=near)], into="train")


def test_a_text_that_is_near_to_two_splits_is_refused():
    one, other = " ".join(f"w{n}" for n in range(200)), " ".join(f"w{n}" for n in range(60, 260))
    corpus = [article(0, text=one), *CORPUS[1:9], article(9, text=other)]
    between = " ".join(f"w{n}" for n in range(30, 230))
    with refused("new.jsonl:30: article 'a30'", "near-duplicate of articles in two splits (a0 in train, a9 in test)"):
        plan([article(30, text=between)], corpus=corpus)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([article(30), article(30, text=words(31))], "the id was already used by new.jsonl:30"),
        ([article(0, text="Other.")], "the corpus has another text under this id (new.jsonl:0: article 'a0')"),
        ([article(30, text=words(3))], "the same text is there as new.jsonl:3: article 'a3'"),
        ([article(30), article(31, text=words(30))], "the same text is there as new.jsonl:30"),
        ([article(30, text=" \n", spans=())], "the article is empty"),
        ([article(30, spans=(Span(0, 5, "LOCATON"),))], "did you mean 'LOCATION'"),
        ([article(30, topics=["bombings"])], "did you mean 'bombing'"),
        ([article(30, topics=["bombing", "bombing"])], "a label stands twice in topics"),
    ],
)
def test_what_is_refused(given, problem):
    with refused("new.jsonl", problem):
        plan(given)


def test_a_field_that_all_have_is_demanded_of_new_ones():
    corpus = [article(n, topics=["bombing"]) for n in range(10)]
    with refused("new.jsonl:30: article 'a30': has no field 'topics'", "(1 of 2 new articles lack it)", "'topics: []'"):
        plan([article(30), article(31, topics=[])], corpus=corpus)
    assert plan([article(31, topics=[])], corpus=corpus).new[0].labels == {"topics": ()}


def test_a_file_of_classes_leaves_the_mentions():
    growth = plan([article(0, spans=(), topics=["bombing"]), article(1, spans=())])
    (changed,) = growth.changed
    assert (changed.spans, changed.labels) == (CORPUS[0].spans, {"topics": ("bombing",)})
    assert (growth.same, growth.bare) == (("a1",), ("a0", "a1"))


def test_labels_that_training_drops_stay_in_the_corpus():
    both = (Span(0, 5, "LOCATION"), Span(6, 9, "DATE"))
    data = make_data(labels={"entities": ["LOCATION"], "topics": ["bombing"]}, drop_labels=["DATE", "sanctions"], stratify_by=["entities"])
    old = [article(0, spans=both, topics=["sanctions"]), *CORPUS[1:]]
    assert plan(old[:1], corpus=old, data=data).same == ("a0",)
    (new,) = plan([article(30, spans=both, topics=["sanctions", "bombing"])], corpus=old, data=data).new
    assert (new.spans, new.labels) == (both, {"topics": ("sanctions", "bombing")})


def test_the_order_of_class_labels_is_no_change_and_other_fields_given_are_taken():
    data = make_data(labels={"entities": ["LOCATION"], "topics": ["x", "y"]}, stratify_by=["entities"])
    old = [article(0, topics=["x", "y"]), *CORPUS[1:]]
    assert plan([article(0, topics=["y", "x"])], corpus=old, data=data).same == ("a0",)
    (changed,) = plan([article(1, tone=["sad"])], corpus=old, data=data).changed
    assert changed.labels == {"tone": ("sad",)}


def test_where_there_is_no_split_all_get_one():
    given = [article(n) for n in range(10, 14)]
    for into in (None, "train"):
        growth = plan_growth(CORPUS, given, DATA, {}, into)
        assert growth.splits.keys() == {a.id for a in [*CORPUS, *given]}
    assert {growth.splits[a.id] for a in given} == {"train"}
    dated = [replace(a, extra={"date": f"2020-01-{n + 1:02}"}) for n, a in enumerate([*CORPUS, *given])]
    by_date = plan_growth(dated[:10], dated[10:], make_data(**{**DATA_OPTIONS, "split_by": "date"}), {}).splits
    assert by_date["a13"] == "test" and by_date["a0"] == "train"


def test_an_id_that_no_split_file_can_hold():
    with refused("the id holds a control character"):
        plan([replace(article(30), id="a\r30")])
