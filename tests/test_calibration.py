"""Calibration: temperatures against a search and a known distortion, what is applied, and what the file says."""

import json
from dataclasses import replace

import numpy as np
import pytest
from factories import make_article, make_task, refused
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_softmax, logit

from sitrep.articles import Span
from sitrep.calibration import Calibration, decide, fit_calibration, fit_temperature, load_calibration, rescale
from sitrep.config import TaskConfig
from sitrep.thresholds import BestF1

NONE = Calibration(0, 0, 1.0, None, None, None)


def fitting(**changes) -> TaskConfig:
    task = make_task("multi-label", ["a", "b"], "topics")
    return TaskConfig(**{**vars(task), "thresholds": "dev", **changes})


def draw(n: int, temperature: float, seed: int = 0):
    """Return (n, 2) log probabilities that are `temperature` times too sure, and the true classes."""
    random = np.random.default_rng(seed)
    true = expit(random.normal(0, 2, n))
    seen = expit(logit(true) * temperature)
    return np.log(np.stack([1 - seen, seen], axis=-1)), (random.random(n) < true).astype(int)


def likelihood(log_scores, right, temperature):
    return log_softmax(log_scores / temperature, axis=-1)[np.arange(len(right)), right].mean()


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    assert fit_temperature(*draw(20_000, temperature))[0] == pytest.approx(temperature, rel=0.05)


@given(st.integers(0, 10**6))
def test_no_temperature_is_likelier(seed):
    random = np.random.default_rng(seed)
    log_scores, right = np.log(random.dirichlet([0.5] * 3, 30)), random.integers(3, size=30)
    temperature, note = fit_temperature(log_scores, right)
    if note is None:
        tried = [likelihood(log_scores, right, t) for t in np.geomspace(0.02, 50, 200)]
        assert likelihood(log_scores, right, temperature) >= max(tried) - 1e-9


@pytest.mark.parametrize(
    ("scores", "right", "reason"),
    [
        ([0.9] * 19, [1] * 19, "too few predictions on dev to fit one: 19, at least 20 are needed"),
        ([0.9] * 20, [1] * 20, "part right from wrong without an error"),
        ([0.9] * 20, [0] * 20, "do not tell right from wrong"),
        ([0.9] * 10 + [0.2] * 10, [1] * 10 + [0] * 10, "without an error"),
        ([0.9] * 19 + [0.5], [1] * 20, "without an error"),
        ([], [], "too few"),
    ],
)
def test_where_none_can_be_fitted_it_is_one_and_says_why(scores, right, reason):
    yes = np.array(scores)
    temperature, note = fit_temperature(np.log(np.stack([1 - yes, yes], axis=-1)).reshape(-1, 2), np.array(right, dtype=int))
    assert temperature == 1 and reason in note


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6).filter(any), st.floats(0.05, 20))
def test_a_temperature_keeps_order_and_sum(values, temperature):
    probabilities = np.array(values) / sum(values)
    scaled = rescale(probabilities, temperature)
    assert scaled.sum() == pytest.approx(1) and np.all(np.diff(scaled[np.argsort(probabilities)]) >= 0)
    assert rescale(probabilities, 1) is probabilities


def test_certainty_can_be_taken_back():
    assert rescale(np.array([0.0, 1.0]), 20)[1] == pytest.approx(expit(logit(1 - 1e-6) / 20))


def spans_of(article):
    return [(span.start, span.end, span.label, span.score) for span in article.spans]


def test_mentions_get_calibrated_scores_of_four_places():
    article = replace(make_article("1", "Gao fell"), spans=(Span(0, 3, "LOCATION", 0.123456), Span(4, 8, "PERSON", 0.9)))
    assert spans_of(NONE.apply(article, make_task())) == [(0, 3, "LOCATION", 0.1235), (4, 8, "PERSON", 0.9)]
    cooled = replace(NONE, temperature=2.0).apply(article, make_task())
    assert spans_of(cooled) == [(0, 3, "LOCATION", round(float(expit(logit(0.123456) / 2)), 4)), (4, 8, "PERSON", 0.75)]
    assert NONE.apply(make_article("1", "Gao"), make_task()).spans == ()


@pytest.mark.parametrize(
    ("thresholds", "labels"), [({}, ("a",)), ({"a": 0.6}, ()), ({"a": 0.5, "b": 0.1}, ("a", "b")), ({"a": 0.0, "b": 0.2}, ("a",))]
)
def test_a_label_is_given_when_its_score_as_written_reaches_the_threshold(thresholds, labels):
    raw = make_article("1", "Gao", labels={"topics": ()}, scores={"topics": {"a": 0.49996, "b": 0.12}})
    decided = replace(NONE, best_f1=BestF1(thresholds, [], {})).apply(raw, fitting())
    assert (decided.labels, decided.scores) == ({"topics": labels}, {"topics": {"a": 0.5, "b": 0.12}})
    assert (decided.id, decided.text) == ("1", "Gao")


def test_the_calibrated_score_decides():
    raw = make_article("1", labels={"topics": ("a",)}, scores={"topics": {"a": 0.9, "b": 0.1}})
    decided = replace(NONE, temperature=2.0, best_f1=BestF1({"a": 0.8, "b": 0.25}, [], {})).apply(raw, fitting())
    assert (decided.labels, decided.scores) == ({"topics": ("b",)}, {"topics": {"a": 0.75, "b": 0.25}})


def test_of_exactly_one_label_the_likeliest_stays_even_where_rounding_levels_it():
    task = make_task("multi-class", ["a", "b", "c"], "region")
    raw = decide(make_article(), task, {"a": 0.333331, "b": 0.333336, "c": 0.333333})
    calibrated = NONE.apply(raw, task)
    assert (calibrated.labels, calibrated.scores) == ({"region": ("b",)}, {"region": dict.fromkeys("abc", 0.3333)})
    surer = replace(NONE, temperature=0.5).apply(decide(make_article(), task, {"a": 0.2, "b": 0.4, "c": 0.4}), task)
    assert surer.scores["region"] == {"a": 0.1111, "b": 0.4444, "c": 0.4444} and surer.labels["region"] == ("b",)


def test_a_reader_decides_by_one_half():
    gold = make_article("1", "[Gao](LOCATION)", labels={"topics": ("b",)})
    decided = decide(gold, fitting(), {"a": 0.5, "b": 0.12345})
    assert (decided.labels, decided.scores, decided.spans) == ({"topics": ("a",)}, {"topics": {"a": 0.5, "b": 0.12345}}, ())


def dev(n: int = 60):
    """Return gold and raw articles of a field with labels a and b; every fifth answer of a is wrong, though it is sure."""
    gold, raw = [], []
    for number in range(n):
        is_a = number % 2 == 0
        gold.append(make_article(str(number), labels={"topics": ("a",) if is_a != (number % 5 == 0) else ()}))
        scores = {"a": 0.999 if is_a else 0.001, "b": 0.02}
        raw.append(decide(make_article(str(number)), fitting(), scores))
    return gold, raw


def test_what_is_fitted_is_saved_and_loaded(tmp_path):
    fitted = fit_calibration(*dev(), fitting(), 0.7)
    assert (fitted.n_articles, fitted.n_items, fitted.temperature_note) == (60, 120, None)
    assert fitted.temperature > 2  # too sure
    fitted.save(tmp_path)
    content = json.loads((tmp_path / "calibration.json").read_text())
    assert (content["schema_version"], content["fitted_on"], content["temperature"]) == (2, "dev", fitted.temperature)
    assert content["best_f1"]["n_positives"] == {"a": 30, "b": 0} and content["best_f1"]["global_labels"] == ["b"]
    assert content["target_precision"]["target"] == 0.7 and content["target_precision"]["n_predicted"] == {"a": 30, "b": 0}
    assert load_calibration(tmp_path, fitting()) == fitted
    assert "topics" not in fitted.describe(make_task()) and "on the 60 articles of dev: temperature" in fitted.describe(make_task())


def test_thresholds_are_those_of_calibrated_scores():
    gold, raw = dev()
    fitted = fit_calibration(gold, raw, fitting(), 0.7)
    pred = [fitted.apply(article, fitting()) for article in raw]
    (high,) = {article.scores["topics"]["a"] for article in pred if article.labels["topics"]}
    assert 0.5 < high < 0.95
    assert fitted.target_precision.thresholds["a"] == 0.0  # 24 of 30 are right
    assert fit_calibration(gold, raw, fitting(), 0.9).target_precision.not_reached == ["a", "b"]


def test_a_precision_is_that_of_labels_given_at_the_fitted_thresholds():
    """Half of what scores 0.3 is right, so that the best F1 takes it; at 0.5 nothing of it would be given."""
    rows = [(0.3, n % 2 == 0) for n in range(60)] + [(0.05, False)] * 60
    gold = [make_article(str(n), labels={"topics": ("a",) * right}) for n, (_, right) in enumerate(rows)]
    raw = [make_article(str(n), labels={"topics": ()}, scores={"topics": {"a": score, "b": 0.0}}) for n, (score, _) in enumerate(rows)]
    fitted = fit_calibration(gold, raw, fitting(), 0.5)
    assert fitted.best_f1.thresholds["a"] < fitted.apply(raw[0], fitting()).scores["topics"]["a"] <= 0.5
    assert fitted.target_precision.n_predicted == {"a": 60, "b": 0} and fitted.target_precision.thresholds["a"] == 0.0
    assert "a 0.00 by 60" in fitted.describe(fitting()) and "on other articles is less" in fitted.describe(fitting())


@pytest.mark.parametrize("kind", ["multi-label", "multi-class", "ner"])
def test_what_a_task_has_no_use_for_is_not_fitted(tmp_path, kind):
    task = make_task(kind, ["a", "b"], None if kind == "ner" else "topics")
    gold = [make_article(str(n), labels={"topics": ("ab"[n % 3 == 0],)}) for n in range(30)]
    raw = gold if kind == "ner" else [decide(article, task, {"a": 0.9, "b": 0.1}) for article in gold]
    fitted = fit_calibration(gold, raw, task, 0.9)
    assert fitted.best_f1 is None
    assert (fitted.target_precision is None) == (kind == "multi-class")
    assert fitted.n_items == {"ner": 0, "multi-class": 30, "multi-label": 60}[kind]
    fitted.save(tmp_path)
    assert load_calibration(tmp_path, task) == fitted
    if kind == "multi-class":
        assert fitted.temperature == pytest.approx(logit(0.9) / logit(2 / 3), rel=1e-3)


def test_a_file_that_is_missing_or_damaged_is_refused(tmp_path):
    path = tmp_path / "calibration.json"
    with refused("calibration.json: is missing", f"python evaluate.py run={tmp_path} split=dev target_precision=0.9"):
        load_calibration(tmp_path, fitting())
    fit_calibration(*dev(), fitting(), 0.9).save(tmp_path)
    good = json.loads(path.read_text())
    for damage, message in [
        ({"schema_version": 1}, "is not of version 2"),
        ({"temperature": 0}, "temperature=0.0 must lie between 0.01 and 100"),
        ({"temperature": float("inf")}, "temperature=inf must lie between"),
        ({"temperature": float("nan")}, "temperature=nan must lie between"),
        ({"temperature": "warm"}, "calibration.json: temperature: "),
        ({"temprature": 1}, "unknown option temprature"),
        ({"best_f1": None}, "best_f1 holds thresholds of none; expected are a, b"),
        (
            {"target_precision": {**good["target_precision"], "thresholds": {"a": 0.5, "c": 0.5}}},
            "target_precision holds thresholds of a, c",
        ),
    ]:
        path.write_text(json.dumps({**good, **damage}))
        with refused(message, "fit it anew"):
            load_calibration(tmp_path, fitting())
    path.write_text(json.dumps(good))
    with refused("best_f1 holds thresholds of a, b; expected are none"):
        load_calibration(tmp_path, fitting(thresholds="fixed"))
    path.write_text("{")
    with refused("calibration.json:1: not JSON"):
        load_calibration(tmp_path, fitting())
