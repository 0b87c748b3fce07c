"""What a model makes of mentions that it is asked about: how probable is exactly this one, and how probable that there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sitrep.articles import Article, Span
from sitrep.errors import InputError
from sitrep.heads.decoding import Marginals, Segment
from sitrep.heads.tags import SoftmaxHead
from sitrep.labels import TagSet
from sitrep.prediction import EncoderReader, score_together
from sitrep.sampling import look_ahead
from sitrep.windows import align

NO_INSIDE = 2  # the id of an `I-X`, which never follows `O`: a stretch of `O` is not continued by it


@dataclass(frozen=True)
class Opinion:
    """One model's opinion of one article.

    pred: the article with the mentions that it finds
    lost: (start, end, label) of the marks that its head cannot hold -> why
    row, starts, ends: where the article stands in `marginals`, and its words by their first and last offsets
    """

    pred: Article
    lost: Mapping[tuple[int, int, str], str]
    row: int
    starts: Mapping[int, int]
    ends: Mapping[int, int]
    tags: TagSet
    marginals: Marginals

    def of(self, spans: Sequence[Span]) -> np.ndarray:
        """Return (n_spans,): the probability that exactly these words bear exactly this label; NaN where a span does not end with words."""
        return self._of(spans, [1 + 2 * self.tags.labels.index(span.label) for span in spans])

    def of_nothing(self, spans: Sequence[Span]) -> np.ndarray:
        """Return (n_spans,): the probability that no word of the span is part of any mention; NaN as in `of`."""
        return self._of(spans, [0] * len(spans))

    def _of(self, spans: Sequence[Span], begins: Sequence[int]) -> np.ndarray:
        probabilities, segments, places = np.full(len(spans), np.nan), [], []
        for place, (span, tag) in enumerate(zip(spans, begins, strict=True)):
            first, last = self.starts.get(span.start), self.ends.get(span.end)
            if first is not None and last is not None and first <= last:
                inside = tag + 1 if tag else 0
                segments.append(Segment(self.row, first, [tag, *[inside] * (last - first)], inside or NO_INSIDE))
                places.append(place)
        probabilities[places] = self.marginals.of(segments)
        return probabilities


def read_opinions(reader: EncoderReader, articles: Iterable[Article]) -> Iterator[Opinion]:
    """Yield the model's opinion of each marked article. What it finds does not depend on the marks.

    Raises:
        InputError: if its head gives mentions no probability that can be asked for.
    """
    head = reader.network
    if not isinstance(head, SoftmaxHead):
        raise InputError(
            f"model.head={reader.model.head}: only heads that tag words say how probable a mention is that they do not find; "
            "train with model.head=crf or model.head=softmax"
        )
    for chunk in look_ahead(articles):
        encoded, (kept,) = score_together([reader], chunk)
        marginals = head.marginals(encoded, kept)
        for row, (article, pred) in enumerate(zip(encoded, head.decode(encoded, kept), strict=True)):
            words = article.words
            starts = {start: word for word, start in enumerate(article.starts[words[:, 0]].tolist())}
            ends = {end: word for word, end in enumerate(article.ends[words[:, 1] - 1].tolist())}
            lost = {(entry.start, entry.end, entry.label): entry.reason for entry in align(article)[1]}
            yield Opinion(pred, lost, row, starts, ends, head.tags, marginals)
