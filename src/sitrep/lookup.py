"""The lookup baseline: marks every surface that the training split marks, with its most frequent label.

What it finds needs no understanding; the distance to it is what a trained encoder is worth.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sitrep.articles import Article, Span

FILE_NAME = "lookup.json"


@dataclass(frozen=True)
class LookupReader:
    """surface -> (label, share of the surface's training mentions that bear it)"""

    surfaces: dict[str, tuple[str, float]]

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article with the known surfaces marked: whole words, case matters, leftmost longest first."""
        pattern = self._pattern()
        for article in articles:
            spans = [Span(match.start(), match.end(), *self.surfaces[match[0]]) for match in pattern.finditer(article.text)]
            yield replace(article.bare(), spans=tuple(spans))

    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.surfaces, key=lambda surface: (-len(surface), surface))
        words = "|".join(map(re.escape, longest_first)) or "(?!)"
        return re.compile(rf"(?<!\w)(?:{words})(?!\w)")

    def save(self, folder: Path) -> None:
        """Write the surfaces to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"schema_version": 1, "surfaces": self.surfaces}, ensure_ascii=False, indent=0)
        (folder / FILE_NAME).write_text(content + "\n", encoding="utf-8")


def fit_lookup(articles: Iterable[Article]) -> LookupReader:
    """Return the reader that knows the marked surfaces of `articles`; of equally frequent labels the first by name wins."""
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for article in articles:
        for span in article.spans:
            labels[article.surface(span)][span.label] += 1
    best = {surface: min(counts.items(), key=lambda item: (-item[1], item[0])) for surface, counts in labels.items()}
    return LookupReader({surface: (label, n / labels[surface].total()) for surface, (label, n) in best.items()})


def load_lookup(folder: Path) -> LookupReader:
    """Return the reader that was saved in `folder`."""
    surfaces = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))["surfaces"]
    return LookupReader({surface: (label, share) for surface, (label, share) in surfaces.items()})
