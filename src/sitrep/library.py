"""sitrep in a program of one's own: `from sitrep import load`.

reader = load("models/articles-ner-minilm/20261128-140037-s1")
for article in reader.read(["Envoys met in Gao on Monday."]):
    print([(article.surface(span), span.label, span.score) for span in article.spans])
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.joint import JointReader, load_joint, open_joint
from sitrep.predict_config import check_min_score

Reference = str | os.PathLike[str]  # a run folder, `latest`, or `latest:TASK`


@dataclass(frozen=True)
class ArticleReader:
    """Reads articles with one or several trained models. Several threads may read at the same time."""

    joint: JointReader

    def read(self, texts: Iterable[str | Article]) -> Iterator[Article]:
        """Yield, in order and as a stream, each text as an `Article` with what the models find in it.

        Args:
            texts: texts, which get the ids "0", "1"..., and articles, which keep theirs and whatever no model predicts.

        Returns:
            Articles with `spans` (mentions: code points, label, score), `labels` and `scores` (classes), as predict.py writes them.

        Raises:
            InputError: if `texts` is a single text, or holds something else.
        """
        if isinstance(texts, str | Article):
            raise InputError("read() takes several texts and yields as many articles; for one: reader.read([text])")
        return self.joint.read(_article(number, text) for number, text in enumerate(texts))

    def left_out(self) -> Counter[str]:
        """Return how many mentions and class labels scored below `min_score` so far, of each label."""
        return self.joint.left_out()


def load(
    runs: Reference | Sequence[Reference], *, backend: str = "torch", device: str = "auto", min_score: float | str | None = None
) -> ArticleReader:
    """Return a reader of the finished runs that `runs` names.

    Args:
        runs: a run folder, `latest` or `latest:TASK`, or a list of them, one a task; the articles are tokenised once for all.
        backend: what multiplies: `torch`, `onnx`, `int8`, or `auto`: the fastest here, which is tried once, in about a minute.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        min_score: leaves out what scores lower: a number from 0 to 1, or `calibrated`, the runs' own thresholds; None: nothing.

    Raises:
        InputError: if a run cannot be opened, two are of the same task, or `min_score` is no such number.
    """
    check_min_score(min_score)
    given = [runs] if isinstance(runs, str | os.PathLike) else runs
    return ArticleReader(load_joint(open_joint([os.fspath(run) for run in given]), device, min_score, backend))


def _article(number: int, text: str | Article) -> Article:
    if isinstance(text, Article):
        return text
    if not isinstance(text, str):
        raise InputError(f"text {number}: expected a str or an Article, found {type(text).__name__}")
    return Article(str(number), text)
