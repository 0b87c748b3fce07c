import pytest
from factories import LABELS, make_article, make_task

from sitrep.articles import Article, Span
from sitrep.diagnosis import CONTEXT, diagnose, mistake_rows, train_surfaces
from sitrep.mistakes import KINDS

TOPICS = ("bombing", "arrest")
GOLD = [
    make_article("1", "[Amina Sow](PERSON) left [Gao](LOCATION) for [Kidal](LOCATION), said the [FLA](ARMED_GROUP)."),
    make_article("2", "[Gao](LOCATION) is quiet."),
]
PRED = [
    make_article("1", "Amina [Sow](PERSON) left [Gao](LOCATION) for [Kidal](ARMED_GROUP), [said](PERSON) the FLA."),
    make_article("2", "[Gao](LOCATION) is quiet."),
]


def diagnosed(gold=GOLD, pred=PRED, task=None, surfaces=None):
    task = task or make_task()
    return diagnose(gold, pred, task, mistake_rows(gold, pred, task), surfaces)


def classified(kind, *labels, scores=None):
    field = {"multi-label": "topics", "multi-class": "region"}[kind]
    given = {field: scores} if scores else {}
    return [Article(str(number), "x", labels={field: tuple(row)}, scores=given) for number, row in enumerate(labels)]


def test_rows_of_mistakes_show_both_sides_and_their_surroundings():
    rows = mistake_rows(GOLD, PRED[::-1], make_task())
    assert [(row["id"], row["kind"]) for row in rows] == [("1", "too short"), ("1", "wrong label"), ("1", "spurious"), ("1", "missed")]
    assert rows[0] == {
        "id": "1", "kind": "too short",
        "gold": [{"start": 0, "end": 9, "label": "PERSON", "text": "Amina Sow"}],
        "pred": [{"start": 6, "end": 9, "label": "PERSON", "text": "Sow"}],
        "before": "", "after": " left Gao for Kidal, said the FLA.",
    }  # fmt: skip


def test_scores_of_found_mentions_are_kept_and_context_is_cut():
    text = "a" * 100 + "Gao" + "b" * 100
    (row,) = mistake_rows([Article("1", text)], [Article("1", text, (Span(100, 103, "LOCATION", 0.75),))], make_task())
    assert row["pred"] == [{"start": 100, "end": 103, "label": "LOCATION", "text": "Gao", "score": 0.75}]
    assert (row["before"], row["after"]) == ("a" * CONTEXT, "b" * CONTEXT)


def test_kinds_are_counted_and_those_that_did_not_happen_too():
    assert diagnosed()["mistakes"] == {**dict.fromkeys(KINDS, 0), "too short": 1, "wrong label": 1, "spurious": 1, "missed": 1}


def test_confusion_counts_every_mention_of_either_side():
    matrix = diagnosed()["confusion"]
    assert matrix["labels"] == [*LABELS, "none"]
    assert matrix["counts"] == [
        [1, 0, 0, 0],  # the PERSON that is too short is a PERSON nonetheless
        [0, 2, 1, 0],
        [0, 0, 0, 1],
        [1, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("gold", "pred", "counts"),
    [
        ("[Amina Sow](PERSON)", "[Amina](PERSON) [Sow](PERSON)", {("PERSON", "PERSON"): 1, ("none", "PERSON"): 1}),
        ("[Amina Sow](PERSON)", "[Amina](LOCATION) [Sow](PERSON)", {("PERSON", "PERSON"): 1, ("none", "LOCATION"): 1}),
        ("[Amina Sow](PERSON)", "[Amina](LOCATION) [Sow](LOCATION)", {("PERSON", "LOCATION"): 1, ("none", "LOCATION"): 1}),
        ("[Amina](PERSON) [Sow](LOCATION)", "[Amina Sow](LOCATION)", {("PERSON", "none"): 1, ("LOCATION", "LOCATION"): 1}),
    ],
)
def test_confusion_counts_each_mention_of_a_split_or_merged_one_once(gold, pred, counts):
    gold, pred = [make_article("1", gold)], [make_article("1", pred)]
    matrix = diagnosed(gold, pred)["confusion"]
    names = matrix["labels"]
    found = {(names[i], names[j]): n for i, row in enumerate(matrix["counts"]) for j, n in enumerate(row) if n}
    assert found == counts
    for index, label in enumerate(LABELS):
        assert sum(matrix["counts"][index]) == sum(span.label == label for span in gold[0].spans)
        assert sum(row[index] for row in matrix["counts"]) == sum(span.label == label for span in pred[0].spans)


def test_seen_and_unseen_mentions_are_scored_apart():
    surfaces = train_surfaces([make_article("t", "[GAO](LOCATION), [Fla](ORGANISATION) and [Amina\n Sow](PERSON)")])
    assert surfaces == ["amina sow", "fla", "gao"]
    parts = diagnosed(surfaces=surfaces)["seen_unseen"]
    assert {name: (part["tp"], part["fp"], part["fn"]) for name, part in parts.items()} == {"seen": (2, 0, 2), "unseen": (0, 3, 1)}
    assert parts["seen"]["f1"] == pytest.approx(2 / 3)
    assert parts["unseen"]["f1"] == 0
    assert diagnosed(surfaces=None)["seen_unseen"] is None


def test_worst_articles_come_first_and_those_without_a_mistake_are_left_out():
    other = make_article(
        "3", "[Gao](LOCATION), [Kidal](LOCATION), [Sow](PERSON), [Ba](PERSON), [Ly](PERSON), [Ka](PERSON), [X](PERSON), [Y](PERSON)"
    )
    worst = diagnosed([*GOLD, other], [*PRED, Article("3", other.text)])["worst_articles"]
    assert worst == [
        {"id": "3", "tp": 0, "fp": 0, "fn": 8, "f1": 0.0},
        {"id": "1", "tp": 1, "fp": 3, "fn": 3, "f1": 0.25},
    ]


def test_mistakes_that_recur_are_listed_most_often_first():
    gold = [make_article(str(number), "[Gao](LOCATION) and [Ba](PERSON)") for number in range(3)]
    pred = [make_article(str(number), "[Gao](PERSON) and " + ("[Ba](PERSON)" if number else "Ba")) for number in range(3)]
    assert diagnosed(gold, pred)["frequent_mistakes"] == [
        {"kind": "wrong label", "gold": "LOCATION", "pred": "PERSON", "surface": "Gao", "n": 3}
    ]


def test_any_number_of_labels():
    gold = classified("multi-label", ["bombing", "arrest"], ["arrest"], [])
    pred = classified("multi-label", ["bombing"], ["bombing"], [], scores={"bombing": 0.8, "arrest": 0.3})
    task = make_task("multi-label", TOPICS, "topics")
    rows = mistake_rows(gold, pred, task)
    assert [(row["id"], row["kind"], row["gold"], row["pred"], row["scores"]) for row in rows] == [
        ("0", "missed", ["arrest"], [], {"arrest": 0.3}),
        ("1", "missed", ["arrest"], [], {"arrest": 0.3}),
        ("1", "spurious", [], ["bombing"], {"bombing": 0.8}),
    ]
    found = diagnosed(gold, pred, task)
    assert found["confusion"] == {"labels": [*TOPICS, "none"], "counts": [[1, 0, 0], [0, 0, 2], [1, 0, 0]]}
    assert found["mistakes"] == {"wrong label": 0, "missed": 2, "spurious": 1}
    assert found["frequent_mistakes"] == [{"kind": "missed", "gold": "arrest", "pred": None, "surface": "", "n": 2}]
    assert found["seen_unseen"] is None


def test_exactly_one_label():
    gold, pred = classified("multi-class", ["sahel"], ["sahel"]), classified("multi-class", ["europe"], ["sahel"])
    task = make_task("multi-class", ("sahel", "europe"), "region")
    (row,) = mistake_rows(gold, pred, task)
    assert row == {"id": "0", "kind": "wrong label", "field": "region", "gold": ["sahel"], "pred": ["europe"], "scores": {}}
    assert diagnosed(gold, pred, task)["confusion"]["counts"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
