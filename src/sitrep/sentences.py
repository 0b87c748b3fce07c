"""Where sentences end: at `.`, `!`, `?` or `...` before white space, and at the end of a line."""

from __future__ import annotations

import re
from bisect import bisect_right

from sitrep.articles import Span

END = re.compile(r"(?<=[.!?…؟۔])[\"'”’»)\]]*\s+|[\r\n]+")
MAX_CHARS = 1000  # of a sentence shown around a mention: some texts have no punctuation


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return END.split(text)


class Sentences:
    """The sentences of one text, to be asked for by mention."""

    def __init__(self, text: str) -> None:
        self.text = text
        ends = list(END.finditer(text))
        self.starts = [0, *(match.end() for match in ends)]
        self.ends = [*(match.start() for match in ends), len(text)]

    def around(self, span: Span) -> str:
        """Return the sentence that holds a mention, or the sentences from its first to its last; of a long one MAX_CHARS around it."""
        start = self.starts[bisect_right(self.starts, span.start) - 1]
        end = self.ends[bisect_right(self.starts, span.end - 1) - 1]
        return self.text[max(start, span.start - MAX_CHARS // 2) : max(span.end, min(end, span.end + MAX_CHARS // 2))]
