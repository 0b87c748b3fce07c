"""The tfidf baseline for class fields: a logistic regression on the words of an article.

What it finds needs no order of words and no knowledge from elsewhere; the distance to it is what a trained encoder is worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from skops.io import dump, get_untrusted_types, load

from sitrep.articles import Article
from sitrep.calibration import decide
from sitrep.config import TaskConfig, TfidfConfig
from sitrep.config import load as load_config
from sitrep.errors import InputError
from sitrep.formats.files import replacing
from sitrep.runs import SCHEMA_VERSION

FILE_NAME = "tfidf.skops"
TRUSTED: list[str] = []  # types beyond those that skops itself takes for harmless; a file that holds others is not loaded
CLASSIFIERS = (LogisticRegression, DummyClassifier)
CHUNK = 64  # articles whose words are counted together
MAX_STEPS = 1000  # of the optimiser, which stops long before


@dataclass
class TfidfReader:
    """Reads a class field with one classifier for all its labels (multi-class), or one for each."""

    task: TaskConfig
    vectorizer: TfidfVectorizer
    classifiers: list[Any]

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article with its classes and their raw scores. Gold is never looked at."""
        stream = iter(articles)
        while chunk := list(islice(stream, CHUNK)):
            for article, probabilities in zip(chunk, self._score(chunk), strict=True):
                yield decide(article, self.task, dict(zip(self.task.labels, probabilities.tolist(), strict=True)))

    def _score(self, articles: Sequence[Article]) -> np.ndarray:
        """Return the probabilities (n_articles, n_labels); 0 for a label that training has not seen."""
        words = self.vectorizer.transform(article.text for article in articles)
        if self.task.kind == "multi-class":
            return _probabilities(self.classifiers[0], words, self.task.labels)
        return np.hstack([_probabilities(classifier, words, [True]) for classifier in self.classifiers])

    @property
    def n_parameters(self) -> int:
        """How many numbers the classifiers hold."""
        return sum(c.coef_.size + c.intercept_.size for c in self.classifiers if isinstance(c, LogisticRegression))

    def save(self, folder: Path) -> None:
        """Write the model to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "schema_version": SCHEMA_VERSION, "task": asdict(self.task), "vectorizer": self.vectorizer, "classifiers": self.classifiers,
        }  # fmt: skip
        with replacing(folder / FILE_NAME) as temporary:
            dump(content, temporary)


def fit_tfidf(articles: Sequence[Article], task: TaskConfig, config: TfidfConfig, seed: int) -> TfidfReader:
    """Return the reader that has learnt the class field of `task` from `articles`.

    Raises:
        InputError: if no word stands in as many articles as `config` asks for.
    """
    vectorizer = TfidfVectorizer(ngram_range=(1, config.max_ngram), min_df=config.min_articles, sublinear_tf=config.sublinear)
    try:
        words = vectorizer.fit_transform(article.text for article in articles)
    except ValueError as error:
        raise InputError(
            f"model.tfidf.min_articles={config.min_articles}: no word stands in so many of the {len(articles)} training articles; "
            f"lower it, or label more ({error})"
        ) from error
    gold = [article.labels[str(task.field)] for article in articles]
    if task.kind == "multi-class":
        targets = [np.array([labels[0] for labels in gold])]
    else:
        targets = [np.array([label in labels for labels in gold]) for label in task.labels]
    return TfidfReader(task, vectorizer, [_fit_classifier(words, target, config, seed) for target in targets])


def _fit_classifier(words: Any, target: np.ndarray, config: TfidfConfig, seed: int) -> Any:
    if len(set(target.tolist())) == 1:  # nothing to tell apart: always the same answer
        return DummyClassifier(strategy="prior").fit(words, target)
    weights = "balanced" if config.balanced else None
    return LogisticRegression(C=config.inverse_penalty, class_weight=weights, max_iter=MAX_STEPS, random_state=seed).fit(words, target)


def _probabilities(classifier: Any, words: Any, classes: Sequence[Any]) -> np.ndarray:
    """Return the probabilities of `classes`, in their order, as (n_articles, n_classes)."""
    columns = dict(zip(classifier.classes_.tolist(), classifier.predict_proba(words).T, strict=True))
    absent = np.zeros(words.shape[0])
    return np.stack([columns.get(name, absent) for name in classes], axis=1)


def load_tfidf(folder: Path) -> TfidfReader:
    """Return the reader that was saved in `folder`.

    Raises:
        InputError: if the file is missing, damaged, or holds types that a model of this kind does not need.
    """
    path = folder / FILE_NAME
    try:
        untrusted = set(get_untrusted_types(file=path)) - set(TRUSTED)
        if untrusted:
            raise InputError(
                f"{path}: holds types that no tfidf model needs ({', '.join(sorted(untrusted))}) and is not loaded, "
                "since they could run code; use a run that you trained yourself"
            )
        content = load(path, trusted=TRUSTED)
        vectorizer, classifiers = content["vectorizer"], content["classifiers"]
        if not isinstance(vectorizer, TfidfVectorizer) or not all(isinstance(c, CLASSIFIERS) for c in classifiers):
            raise TypeError("expected a TfidfVectorizer and classifiers")
        return TfidfReader(load_config(TaskConfig, content["task"]), vectorizer, classifiers)
    except (OSError, BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__}: {error}); the run is damaged: train again") from error
