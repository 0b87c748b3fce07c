"""The tfidf baseline: every kind of class field, what training has not seen, and files that are not to be loaded."""

import itertools
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import skops.io
from factories import make_article, make_task, refused

from sitrep.articles import Article
from sitrep.config import TfidfConfig
from sitrep.tfidf import CHUNK, fit_tfidf, load_tfidf

SETTINGS = TfidfConfig(max_ngram=1, min_articles=1, sublinear=True, balanced=True, inverse_penalty=10.0)
TEXTS = {"bombing": "A bomb exploded.", "kidnapping": "Gunmen abducted a nurse.", "diplomacy": "Envoys met; غزة truce talks."}
KINDS = {"multi-label": [*TEXTS, "sanctions"], "multi-class": [*TEXTS, "sanctions"], "binary": ["bombing"]}  # sanctions never occur


def articles(kind: str) -> list[Article]:
    found = []
    for n, (label, text) in enumerate(list(TEXTS.items()) * 4):
        labels = (label,) if label in KINDS[kind] else ()
        found.append(make_article(str(n), f"{text} Day {n}.", labels={"topics": labels}))
    return found


def fit(kind: str, settings: TfidfConfig = SETTINGS, seed: int = 1):
    return fit_tfidf(articles(kind), make_task(kind, KINDS[kind], "topics"), settings, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learnt_is_found_again(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader = fit(kind)
        read = list(reader.read([article.bare() for article in articles(kind)]))
    assert [article.labels for article in read] == [article.labels for article in articles(kind)]
    for article in read:
        scores = article.scores["topics"]
        assert list(scores) == KINDS[kind] and all(0 <= score <= 1 for score in scores.values())
        assert scores.get("sanctions", 0) == 0
        assert kind != "multi-class" or sum(scores.values()) == pytest.approx(1, abs=1e-3)
    assert reader.n_parameters > 0


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_reader_gives_the_same(kind, tmp_path):
    reader = fit(kind)
    reader.save(tmp_path / "checkpoint")
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["tfidf.skops"]
    loaded = load_tfidf(tmp_path / "checkpoint")
    unseen = [make_article("x", "A bomb, then talks"), make_article("y", "غزة"), make_article("z", "")]
    assert list(loaded.read(unseen)) == list(reader.read(unseen))
    assert (loaded.task, loaded.n_parameters) == (reader.task, reader.n_parameters)


def test_the_same_seed_gives_the_same_scores():
    first, again = (list(fit("multi-label", seed=3).read(articles("multi-label"))) for _ in range(2))
    assert first == again


def test_gold_is_not_looked_at_and_ids_order_and_extra_fields_are_kept():
    reader = fit("multi-label")
    given = [make_article(str(n), "[Gao](LOCATION) bomb", labels={"topics": ("sanctions",)}, extra={"n": n}) for n in range(CHUNK + 3)]
    read = list(reader.read(given))
    assert [(article.id, article.text, article.extra) for article in read] == [
        (article.id, article.text, article.extra) for article in given
    ]
    assert read == list(reader.read([article.bare() for article in given]))
    assert all(article.spans == () for article in read)


def test_articles_are_read_as_a_stream():
    n_taken = itertools.count()
    stream = fit("binary").read(make_article(str(n)) for n in n_taken)  # without end
    next(stream)
    assert next(n_taken) <= CHUNK + 1
    assert list(fit("binary").read([])) == []


@pytest.mark.parametrize("label", ["bombing", "diplomacy"])
def test_one_class_only_is_always_the_answer(label):
    task = make_task("multi-class", list(TEXTS), "topics")
    reader = fit_tfidf([make_article(str(n), "Rain.", labels={"topics": (label,)}) for n in range(3)], task, SETTINGS, 1)
    (read,) = reader.read([make_article("x", "Snow.")])
    assert (read.labels["topics"], read.scores["topics"][label]) == ((label,), 1)


def test_settings_are_heeded():
    assert fit("multi-class", replace(SETTINGS, max_ngram=2)).n_parameters > fit("multi-class").n_parameters
    assert fit("multi-class", replace(SETTINGS, min_articles=3)).n_parameters < fit("multi-class").n_parameters


@pytest.mark.parametrize(("text", "settings"), [("a . !", SETTINGS), ("one", replace(SETTINGS, min_articles=3))])
def test_no_word_to_learn_from(text, settings):
    with refused(f"model.tfidf.min_articles={settings.min_articles}: no word stands in so many of the 1 training articles"):
        fit_tfidf([make_article("1", text, labels={"topics": ()})], make_task("binary", ["x"], "topics"), settings, 1)


def test_a_file_that_could_run_code_is_not_loaded(tmp_path):
    skops.io.dump({"schema_version": 1, "vectorizer": Path("x")}, tmp_path / "tfidf.skops")
    with refused("tfidf.skops: holds types that no tfidf model needs (pathlib.PosixPath)", "is not loaded"):
        load_tfidf(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"not a zip", {"schema_version": 1}, {"vectorizer": 1, "classifiers": [], "task": {}}])
def test_a_file_that_is_missing_or_damaged(tmp_path, content):
    if isinstance(content, bytes):
        (tmp_path / "tfidf.skops").write_bytes(content)
    elif content is not None:
        skops.io.dump(content, tmp_path / "tfidf.skops")
    with refused("tfidf.skops: cannot be read", "train again"):
        load_tfidf(tmp_path)
