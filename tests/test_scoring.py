import itertools
import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
from factories import LABELS, flat_spans, make_article, make_task, refused
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, f1_score, multilabel_confusion_matrix
from sklearn.metrics import precision_recall_fscore_support as sklearn_scores

from sitrep.articles import Article, Span
from sitrep.intervals import draw_weights, interval
from sitrep.labels import TagSet
from sitrep.matching import classes, strict
from sitrep.scoring import AVERAGES, count, ratios, score, strict_f1, summary

TOPICS = ("bombing", "kidnapping", "diplomacy", "sanctions")
RATIOS = ("precision", "recall", "f1")


def span_articles(rows):
    """Return an article of 12 one-character tokens per list of (start, end, label)."""
    return [Article(str(number), "x" * 12, tuple(Span(*span) for span in row)) for number, row in enumerate(rows)]


def class_articles(rows, field="topics"):
    return [Article(str(number), "x", labels={field: tuple(row)}) for number, row in enumerate(rows)]


def values(counts):
    """Return precision, recall, F1 and support, NaN where undefined, as scikit-learn does with zero_division=nan."""
    return [np.nan if counts[name] is None else counts[name] for name in (*RATIOS, "support")]


EXACT = {"rtol": 1e-12, "atol": 0}


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.tuples(flat_spans(12), flat_spans(12)), min_size=1, max_size=4))
def test_mentions_score_as_seqeval_strict(pairs):
    gold, pred = zip(*pairs, strict=True)
    assume(any(gold + pred))  # seqeval cannot report on nothing
    strict = score(span_articles(gold), span_articles(pred), make_task(), intervals=False)["strict"]
    tags = TagSet(LABELS)
    sequences = [[[tags.tags[tag_id] for tag_id in tags.encode(row, 12)] for row in side] for side in (gold, pred)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = classification_report(*sequences, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
    oracle = {name: [row[column] for column in ("precision", "recall", "f1-score", "support")] for name, row in report.items()}
    seen = oracle.keys() & set(LABELS)
    for row, expected in [*((strict["per_label"][name], oracle[name]) for name in seen), (strict["micro"], oracle["micro avg"])]:
        np.testing.assert_allclose(np.nan_to_num(values(row)), expected, **EXACT)
        assert row["support"] == expected[3] and row["tp"] == pytest.approx(expected[1] * expected[3], rel=1e-12)
    assert all(strict["per_label"][name]["f1"] is None for name in set(LABELS) - seen)
    for average, column in itertools.product(("macro", "weighted"), range(3)):
        if all(strict["per_label"][name][RATIOS[column]] is not None for name in seen):  # seqeval takes undefined for zero
            found = strict[average][RATIOS[column]]
            np.testing.assert_allclose(0 if found is None else found, oracle[f"{average} avg"][column], **EXACT)


ROW = st.sets(st.sampled_from(TOPICS))
CLASS = st.sampled_from(TOPICS).map(lambda label: {label})


@pytest.mark.parametrize(("kind", "row"), [("multi-label", ROW), ("multi-class", CLASS)])
@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_classes_score_as_scikit_learn(kind, row, data):
    gold, pred = zip(*data.draw(st.lists(st.tuples(row, row), min_size=2, max_size=12)), strict=True)
    result = score(class_articles(gold), class_articles(pred), make_task(kind, TOPICS, "topics"), intervals=False)
    sides, options = [np.array([[topic in labels for topic in TOPICS] for labels in side]) for side in (gold, pred)], {}
    counts = multilabel_confusion_matrix(*sides)
    if kind == "multi-class":
        sides, options = [[next(iter(labels)) for labels in side] for side in (gold, pred)], {"labels": TOPICS}
    else:
        expected = np.nan_to_num(f1_score(*sides, average="samples", zero_division=np.nan))
        np.testing.assert_allclose(result["example_f1"] or 0, expected, **EXACT)
    np.testing.assert_allclose(result["subset_accuracy"], accuracy_score(*sides), **EXACT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = {average: sklearn_scores(*sides, average=average, zero_division=np.nan, **options) for average in (None, *AVERAGES)}
    strict = result["strict"]
    rows = [strict["per_label"][topic] for topic in TOPICS]
    assert [(row["tp"], row["fp"], row["fn"]) for row in rows] == [(tp, fp, fn) for (_, fp), (fn, tp) in counts.tolist()]
    np.testing.assert_allclose([values(row) for row in rows], np.transpose(oracle[None]), **EXACT)
    for average in AVERAGES:
        found, expected = values({"support": None, **strict[average]})[:3], oracle[average][:3]
        if average == "weighted":  # of labels without weight scikit-learn takes the mean for 0, here it is undefined
            found, expected = np.nan_to_num([found, expected])
        np.testing.assert_allclose(found, expected, **EXACT)


def test_mentions_by_hand():
    gold = [make_article("1", "[Amina Sow](PERSON) left [Gao](LOCATION) for [Kidal](LOCATION).")]
    pred = [make_article("1", "Amina [Sow](PERSON) left [Gao](LOCATION) for [Kidal](ARMED_GROUP).")]
    strict = score(gold, pred, make_task(labels=(*LABELS, "DATE")))["strict"]
    assert {label: (row["tp"], row["fp"], row["fn"]) for label, row in strict["per_label"].items()} == {
        "PERSON": (0, 1, 1), "LOCATION": (1, 0, 1), "ARMED_GROUP": (0, 1, 0), "DATE": (0, 0, 0),
    }  # fmt: skip
    assert values(strict["per_label"]["LOCATION"]) == pytest.approx([1, 0.5, 2 / 3, 2])
    assert values(strict["micro"]) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 3])
    assert {ratio: strict["macro"][ratio] for ratio in RATIOS} == {
        "precision": pytest.approx(1 / 3),
        "recall": 0.25,
        "f1": pytest.approx((0 + 2 / 3 + 0) / 3),
    }


def test_classes_by_hand():
    gold = class_articles([{"bombing", "kidnapping"}, {"bombing"}, set(), set()])
    pred = class_articles([{"bombing", "diplomacy"}, {"bombing"}, {"bombing"}, set()])
    result = score(gold, pred, make_task("multi-label", TOPICS, "topics"))
    assert result["example_f1"] == pytest.approx((1 / 2 + 1 + 0) / 3)  # the fourth article, empty on both sides, is left out
    assert result["subset_accuracy"] == 2 / 4
    assert values(result["strict"]["per_label"]["bombing"]) == pytest.approx([2 / 3, 1, 4 / 5, 2])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0), (np.nan, np.nan, np.nan)),
        ((0, 2, 0), (0, np.nan, 0)),
        ((0, 0, 2), (np.nan, 0, 0)),
        ((3, 1, 2), (0.75, 0.6, 2 / 3)),
    ],
)
def test_undefined_is_nan_and_zero_is_zero(counts, expected):
    np.testing.assert_allclose(ratios(np.array(counts)), expected)


def test_nothing_to_score_is_undefined():
    nothing = summary(count([make_article()], [make_article()], LABELS, strict))
    assert [nothing[average][name] for average in ("micro", "macro", "weighted") for name in (*RATIOS, "f1_interval")] == [None] * 12
    assert strict_f1([make_article()], [make_article()], make_task()) == {"micro_f1": 0, "macro_f1": 0}
    result = score(class_articles([set()]), class_articles([set()]), make_task("multi-label", TOPICS, "topics"))
    assert (result["example_f1"], result["subset_accuracy"]) == (None, 1.0)


def test_a_mention_predicted_twice_is_one_hit_and_one_false_positive():
    gold = make_article(marked="In [Gao](LOCATION)")
    pred = replace(gold, spans=gold.spans * 2)
    column = LABELS.index("LOCATION")
    assert count([gold], [pred], LABELS, strict).total[column].tolist() == [1, 1, 0]
    assert count([pred], [gold], LABELS, strict).total[column].tolist() == [1, 0, 1]


def random_sides(seed, n_articles=30):
    draw = random.Random(seed)
    starts = [[start for start in range(11) if draw.random() < 0.3] for _ in range(2 * n_articles)]
    articles = span_articles([[(start, start + draw.choice([1, 2]), draw.choice(LABELS)) for start in row] for row in starts])
    gold, pred = articles[:n_articles], articles[n_articles:]
    return gold, [replace(article, id=other.id) for article, other in zip(pred, gold, strict=True)]


@pytest.mark.parametrize("seed", range(3))
def test_order_of_articles_and_mentions_does_not_matter(seed):
    gold, pred = random_sides(seed)
    shuffled = [replace(article, spans=tuple(reversed(article.spans))) for article in pred]
    random.Random(seed).shuffle(shuffled)
    assert score(gold, pred, make_task(), intervals=False) == score(gold[::-1], shuffled, make_task(), intervals=False)


def test_every_ratio_has_the_interval_of_resampled_articles():
    counts = count(*random_sides(3), LABELS, strict)
    found = summary(counts)
    drawn = np.einsum("ra,alk->krl", np.concatenate([*draw_weights(30)]), counts.values)
    formulas = {
        "precision": lambda tp, fp, fn: tp / (tp + fp),
        "recall": lambda tp, fp, fn: tp / (tp + fn),
        "f1": lambda tp, fp, fn: 2 * tp / (2 * tp + fp + fn),
    }
    for name, formula in formulas.items():
        labels = formula(*drawn)
        expected = dict(zip(LABELS, labels.T, strict=True)) | {
            "micro": formula(*drawn.sum(axis=2)),
            "macro": labels.mean(axis=1),
            "weighted": np.average(labels, axis=1, weights=drawn[0] + drawn[2]),
        }
        for row, resampled in expected.items():
            whole = found[row] if row in AVERAGES else found["per_label"][row]
            low, high = whole[f"{name}_interval"]
            assert [low, high] == pytest.approx(interval(resampled, 30)) and 0 <= low < whole[name] < high <= 1


@pytest.mark.parametrize("cut", [0, 1, 17, 30])
def test_scores_of_parts_add_up(cut):
    gold, pred = random_sides(7)
    parts = [count(gold[part], pred[part], LABELS, strict) for part in (slice(cut), slice(cut, None))]
    whole = count(gold, pred, LABELS, strict)
    assert (parts[0].total + parts[1].total == whole.total).all()
    assert parts[0].ids + parts[1].ids == whole.ids


@pytest.mark.parametrize(
    ("gold", "pred", "problems"),
    [
        (["a", "b"], ["a"], ["1 articles are missing in the prediction: b", "same articles"]),
        (["a"], ["a", "b", "c"], ["2 articles are missing in the gold: b, c"]),
        (["a", "a"], ["a"], ["article 'a': the gold holds two articles of this id"]),
        (["a"], ["a", "a"], ["article 'a': the prediction holds two articles of this id"]),
    ],
)
def test_articles_that_do_not_pair_up_are_refused(gold, pred, problems):
    with refused(*problems):
        score([make_article(name) for name in gold], [make_article(name) for name in pred], make_task())


def test_texts_that_differ_are_refused():
    with refused("article 'a'", "different texts"):
        score([make_article("a", "Rain.")], [make_article("a", "Rain. ")], make_task())


def test_undeclared_labels_are_refused():
    with refused("label 'TOWN'", "PERSON, LOCATION, ARMED_GROUP"):
        score([make_article()], [make_article(marked="[Rain](TOWN) fell.")], make_task())


def test_classes_of_another_field_are_not_scored():
    article = make_article(labels={"topics": ("bombing",), "region": ("sahel",)})
    assert count([article], [article], TOPICS, classes("topics")).total.sum(axis=0).tolist() == [1, 0, 0]
