"""An article as the data doctor looks at it: with its marks, their faults, and where those belong that were counted otherwise."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from sitrep.articles import Article, Source, Span
from sitrep.findings import Finding, Key, Repair, key_of
from sitrep.formats import faults as kinds
from sitrep.formats.faults import Fault, Mark
from sitrep.offsets import Moved, find_moved

SHOWN_CHARS = 60  # of a mark, in a message
ALIKE = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"', "`": "'", "–": "-", "—": "-", "\u00a0": " "})


class Subject:
    """An article with its marks and their faults, as the rules look at it."""

    def __init__(self, article: Article, faults: Sequence[Fault] = (), declared: Mapping[str, Sequence[str]] | None = None) -> None:
        """Args: declared: the labels of mentions (ENTITIES) and class fields; of a field that it lacks any may occur."""
        self.article, self.text, self.faults, self.declared = article, article.text, faults, declared or {}
        self._unplaced = article.source or Source(f"article {article.id}")
        sources = {key_of(fault.mark): fault.mark.source for fault in faults if fault.kind == kinds.SURFACE}
        self.marks = [Mark(span.start, span.end, span.label, None, self._unplaced) for span in article.spans]
        if sources:
            self.marks = [replace(mark, source=sources.get(key_of(mark), self._unplaced)) for mark in self.marks]

    def source(self, mark: Mark) -> Source:
        """Return where a mark stands: that of a span is looked for only when it is asked for."""
        return self.place(mark.start) if mark.source is self._unplaced else mark.source

    def place(self, offset: int) -> Source:
        """Return where a character of the text stands in its file."""
        if not self._counts_lines:
            return self._unplaced
        return replace(self._unplaced, line=self._unplaced.line + bisect_left(self._line_ends, offset))

    @cached_property
    def _counts_lines(self) -> bool:
        end = Span(len(self.text), len(self.text), "")
        return self.article.source is not None and self.article.source_of(end) is not self.article.source

    @cached_property
    def _line_ends(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    @cached_property
    def moved(self) -> dict[Key, Moved]:
        """Where marks belong whose offsets were counted otherwise, by start, end and label."""
        misread = [
            fault.mark for fault in self.faults if fault.kind in (kinds.SURFACE, kinds.OUTSIDE) and not says_the_same(fault, self.text)
        ]
        stated: dict[Key, set[str | None]] = {}
        for mark in misread:
            stated.setdefault(key_of(mark), set()).add(mark.surface)
        sound = [mark for mark in self.marks if key_of(mark) not in stated]
        moved = {key_of(mark): to for mark, to in find_moved(self.text, sound, misread).items()}
        # of marks that share offsets and label some may be right, or state another text: nobody can tell them apart
        n_misread = Counter(key_of(fault.mark) for fault in self.faults if fault.kind == kinds.SURFACE) if moved else {}
        n_marks = Counter(map(key_of, self.marks)) if moved else {}
        mixed = {key for key, texts in stated.items() if len(texts) > 1 or 0 < n_misread.get(key, 0) < n_marks.get(key, 0)}
        return {key: to for key, to in moved.items() if key not in mixed}

    @cached_property
    def in_place(self) -> list[Mark]:
        """The marks of the article that stand where they belong, as far as anybody can tell."""
        return [mark for mark in self.marks if key_of(mark) not in self.moved] if self.moved else self.marks

    @cached_property
    def placed(self) -> list[Mark]:
        """All marks where they belong: those of `in_place`, and the others moved."""
        if not self.moved:
            return self.marks
        marks = {key_of(fault.mark): fault.mark for fault in self.faults} | {key_of(mark): mark for mark in self.marks}
        return self.in_place + [replace(marks[key], start=to.span[0], end=to.span[1]) for key, to in self.moved.items()]

    @cached_property
    def mended(self) -> Article:
        """The article with its marks where they belong."""
        spans = (Span(mark.start, mark.end, mark.label) for mark in self.placed)
        return replace(self.article, spans=tuple(spans)) if self.moved else self.article

    def finding(self, rule: str, severity: str, mark: Mark, message: str, repair: Repair | None = None, **more: object) -> Finding:
        """Return a finding about a mark."""
        where = str(self.source(mark))
        return Finding(rule, severity, self.article.id, where, message, mark.start, mark.end, mark.label, repair, **more)  # type: ignore[arg-type]

    def said(self, start: int, end: int) -> str:
        """Return the text between two offsets as a message quotes it."""
        text = self.text[max(0, start) : max(0, end)]  # a mark may lie outside
        return repr(text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 3] + "...")


def says_the_same(fault: Fault, text: str) -> bool:
    """Say whether what the file states differs from the text in white space and the form of quotes and dashes only."""
    mark = fault.mark
    if fault.kind != kinds.SURFACE or mark.surface is None:
        return False
    return _plain(mark.surface) == _plain(text[mark.start : mark.end])


def _plain(text: str) -> str:
    return "".join(text.translate(ALIKE).replace('"', "'").split())
