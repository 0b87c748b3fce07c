"""The data doctor's rules for one article: each a function that yields what it finds. What an article cannot tell is in facts.py."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sitrep.boundaries import splits_word, stray_punctuation
from sitrep.errors import nearest
from sitrep.findings import ERROR, NOTE, WARNING, Finding, Repair, key_of
from sitrep.formats import faults as kinds
from sitrep.formats.faults import Mark
from sitrep.labels import ENTITIES
from sitrep.leaks import WORD
from sitrep.subjects import Subject, says_the_same

MAX_WORD = 200  # characters of a word that are looked at beyond a mark
MAX_NAME = 200  # characters of a name that may be repeated


def check_offsets(subject: Subject) -> Iterator[Finding]:
    """Marks whose offsets were counted in other units, or from another beginning."""
    marks = {key_of(mark): mark for mark in subject.marks} | {key_of(fault.mark): fault.mark for fault in subject.faults}
    for key, moved in sorted(subject.moved.items()):
        start, end = moved.span
        units = moved.units if moved.units.startswith("shifted") else f"counted {moved.units}"
        message = f"{subject.said(*key[:2])} is {subject.said(start, end)} {units}: [{start}, {end})"
        message += ", as the file says" if moved.is_stated else ""
        repair = Repair(moved.span, safe=moved.is_stated, is_offset=True)
        yield subject.finding("offsets", ERROR, marks[key], message, repair, kind=moved.units)


def check_faults(subject: Subject) -> Iterator[Finding]:
    """Marks that do not fit the text, and are not merely counted otherwise."""
    rules = {kinds.EMPTY: "empty", kinds.OUTSIDE: "outside", kinds.DISCONTINUOUS: "gaps"}
    for fault in subject.faults:
        mark = fault.mark
        if key_of(mark) in subject.moved:
            continue
        if fault.kind == kinds.SURFACE:
            same = says_the_same(fault, subject.text)
            message = f"the text reads {subject.said(mark.start, mark.end)}, the file says {mark.surface!r}"
            yield subject.finding("value", WARNING if same else ERROR, mark, message)
        elif fault.kind == kinds.DUPLICATE:
            yield subject.finding("duplicate", ERROR, mark, fault.reason, Repair(None, safe=True))
        else:
            message = f"{mark.label} [{mark.start}, {mark.end}) in a text of {len(subject.text):,} characters"
            message += f"; the file says {mark.surface!r}" if mark.surface else ""
            yield subject.finding(rules[fault.kind], ERROR, mark, message if fault.kind != kinds.DISCONTINUOUS else fault.reason)


def check_duplicates(subject: Subject) -> Iterator[Finding]:
    """Marks of the same offsets and label as one before."""
    seen: set[tuple[int, int, str]] = set()
    for mark in subject.marks:
        if key_of(mark) in seen:
            message = f"{mark.label} {subject.said(mark.start, mark.end)} is marked twice"
            yield subject.finding("duplicate", ERROR, mark, message, Repair(None, safe=True))
        seen.add(key_of(mark))


def check_labels(subject: Subject) -> Iterator[Finding]:
    """Labels of mentions that are not declared."""
    if ENTITIES not in subject.declared:
        return
    others = [fault.mark for fault in subject.faults if fault.kind not in (kinds.SURFACE, kinds.DUPLICATE)]
    for mark in [*subject.marks, *others]:
        if mark.label not in subject.declared[ENTITIES]:
            yield subject.finding("label", ERROR, mark, _undeclared(mark.label, subject.declared[ENTITIES]))


def check_classes(subject: Subject) -> Iterator[Finding]:
    """Class labels that are not declared, and articles that lack a field of which labels are."""
    article, where = subject.article, str(subject.article.source)
    for field, labels in subject.declared.items():
        if field == ENTITIES:
            continue
        values = article.classes(field)
        if values is None:
            yield Finding("no-class", WARNING, article.id, where, f"has no field {field!r}")
        for value in values or ():
            if value not in labels:
                yield Finding("label", ERROR, article.id, where, f"{field}: {_undeclared(value, labels)}", label=value)


def _undeclared(label: str, labels: Sequence[str]) -> str:
    hint = nearest(label, labels)
    return f"{label!r} is not declared" + (f"; did you mean {hint!r}?" if hint else "")


def check_edges(subject: Subject) -> Iterator[Finding]:
    """White space and punctuation at the ends of marks, and ends inside a word."""
    text = subject.text
    for mark in subject.in_place:
        inner = text[mark.start : mark.end]
        start = mark.start + len(inner) - len(inner.lstrip())
        end = mark.end - (len(inner) - len(inner.rstrip()))
        if end - start < len(inner):
            repair = Repair((start, end), safe=True) if start < end else None
            yield subject.finding("space", WARNING, mark, f"{subject.said(mark.start, mark.end)} holds white space at an end", repair)
        if start >= end:
            continue
        if (kept := stray_punctuation(text, start, end)) != (start, end) and kept[0] < kept[1]:
            message = f"{subject.said(start, end)} without the punctuation is {subject.said(*kept)}"
            yield subject.finding("punctuation", WARNING, mark, message, Repair(kept, safe=False))
        if splits_word(text, mark.start) or splits_word(text, mark.end):
            whole = _whole_words(text, mark.start, mark.end)
            message = f"{subject.said(mark.start, mark.end)} is part of {subject.said(*whole)}"
            yield subject.finding("inside-word", WARNING, mark, message, Repair(whole, safe=False))


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    first, last = max(0, start - MAX_WORD), min(len(text), end + MAX_WORD)
    while start > first and splits_word(text, start):
        start -= 1
    while end < last and splits_word(text, end):
        end += 1
    return start, end


def check_overlaps(subject: Subject) -> Iterator[Finding]:
    """Pairs of marks that share a character, counted by a sweep: a finding is a mark with all those before it that it overlaps.

    Sorted by start, the longer first, an earlier mark overlaps if it ends behind the start of this one, and holds it if it ends no earlier.
    Marks of the same offsets and label are duplicates and make no pair.
    """
    marks = sorted({key_of(mark): mark for mark in subject.placed}.values(), key=lambda mark: (mark.start, -mark.end, mark.label))
    ends: list[int] = []
    places: Counter[tuple[int, int]] = Counter()
    furthest: Mark | None = None
    for mark in marks:
        n_overlapped = len(ends) - bisect_right(ends, mark.start)
        n_equal = places[mark.start, mark.end]
        n_holding = len(ends) - bisect_left(ends, mark.end) - n_equal
        counts = {"same characters": n_equal, "nested": n_holding, "crossing": n_overlapped - n_equal - n_holding}
        for kind, n in counts.items():
            if n and furthest:
                said = f"{mark.label} {subject.said(mark.start, mark.end)}"
                said += f" overlaps {furthest.label} {subject.said(furthest.start, furthest.end)}"
                said += f" and {n_overlapped - 1} more" if n_overlapped > 1 else ""
                yield subject.finding("overlap", WARNING, mark, f"{said} ({kind}{f': {n}' if n < n_overlapped else ''})", n=n, kind=kind)
        insort(ends, mark.end)
        places[mark.start, mark.end] += 1
        furthest = mark if furthest is None or mark.end >= furthest.end else furthest


def check_repeats(subject: Subject) -> Iterator[Finding]:
    """Names that are marked elsewhere in the article and not here: whole words of the same case, outside all marks."""
    names: dict[str, Mark] = {}
    for mark in subject.placed:
        if mark.end - mark.start <= MAX_NAME:
            names.setdefault(subject.text[mark.start : mark.end].strip(), mark)
    shapes: dict[str, set[tuple[int, int]]] = {}  # the first word of names -> what stands before it, and their length
    for name in filter(_is_name, names):
        if word := WORD.search(name):
            shapes.setdefault(word[0], set()).add((word.start(), len(name)))
    longest_first = {word: sorted(found, key=lambda shape: -shape[1]) for word, found in shapes.items()}
    for first, last in _gaps(subject) if shapes else ():
        free_from = first
        for word in WORD.finditer(subject.text, first, last):
            for before, length in longest_first.get(word[0], ()):
                start = word.start() - before
                name = subject.text[start : start + length]
                if (
                    start < free_from
                    or start + length > last
                    or name not in names
                    or not _stands_alone(subject.text, start, start + length)
                ):
                    continue
                mark = names[name]
                repeat = replace(mark, start=start, end=start + length, source=subject.place(start))
                message = f"{name!r} is {mark.label} at [{mark.start}, {mark.end}), and not marked here"
                yield subject.finding("unmarked", WARNING, repeat, message)
                free_from = start + length
                break


def _gaps(subject: Subject) -> Iterator[tuple[int, int]]:
    """Yield the stretches of the text that no mark covers."""
    position = 0
    for start, end in sorted((mark.start, mark.end) for mark in subject.placed):
        if start > position:
            yield position, start
        position = max(position, end)
    yield position, len(subject.text)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Say whether no letter or digit touches what stands there."""
    return not splits_word(text, start) and not splits_word(text, end)


def _is_name(surface: str) -> bool:
    """Say whether words are told apart as a name: by a capital, or in a script that has none."""
    return len(surface) > 1 and any(char.isalpha() and char.upper() == char for char in surface)


def check_text(subject: Subject) -> Iterator[Finding]:
    """Articles without text, or without any mark."""
    article = subject.article
    where = str(article.source or f"article {article.id}")
    if not subject.text.strip():
        yield Finding("no-text", ERROR, article.id, where, "the article is empty")
    elif not subject.marks and not subject.faults:
        yield Finding("no-marks", NOTE, article.id, where, f"{len(subject.text):,} characters, and nothing is marked")


CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    check_text, check_offsets, check_faults, check_duplicates, check_labels, check_classes, check_edges, check_overlaps, check_repeats,
)  # fmt: skip
"""All rules for one article."""


def check_subject(subject: Subject) -> list[Finding]:
    """Return what is wrong with one article and its marks."""
    return [finding for check in CHECKS for finding in check(subject)]
