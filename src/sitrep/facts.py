"""What the data doctor keeps of all articles: counts, surfaces and hashes, never texts; and what it finds by them."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sitrep.articles import Article, Span
from sitrep.config import SPLITS
from sitrep.findings import ERROR, NOTE, WARNING, Finding
from sitrep.formats.faults import SURFACE
from sitrep.labels import ENTITIES, TOP_LEVEL
from sitrep.near_duplicates import Stream
from sitrep.scoring import MIN_SUPPORT
from sitrep.subjects import Subject

MIN_MARKED = 4  # times under its usual label, before another one on the same words is unusual
MAX_MINORITY = 0.2  # share of an unusual label
RARE_SHARE = 0.02  # of a label against the frequent one that it resembles
ALIKE = 0.8  # least ratio of difflib between labels that one may have meant the other

SplitOf = Callable[[Article], str | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """An article as the others may have to be told of it."""

    id: str
    where: str
    split: str | None


class Facts:
    """The articles of a first pass, by position; the second asks what is unusual against all of them."""

    def __init__(self, declared: Mapping[str, Sequence[str]], split_of: SplitOf | None = None) -> None:
        """Args: declared: as of `Subject`; split_of: the split of an article; None where there are no splits."""
        self.declared, self._split_of = declared, split_of
        self.entries: list[Entry] = []
        self.n_marks = self.n_characters = 0
        self.labels: dict[str, Counter[str | None]] = defaultdict(Counter)  # of mentions: label -> split -> how many
        self.classes: dict[str, dict[str, Counter[str | None]]] = defaultdict(lambda: defaultdict(Counter))  # field -> the same
        self._found: dict[int, list[Finding]] = {}
        self._surfaces: dict[str, dict[str, int]] = {}  # surface -> label -> how often
        self._first: dict[tuple[str, str], int] = {}  # (surface, label) -> position
        self._first_of: dict[str, int] = {}  # label -> position
        self._ids: dict[str, int] = {}
        self._texts: dict[bytes, int] = {}
        self._stream = Stream()

    def add(self, subject: Subject) -> None:
        """Take note of an article."""
        article = subject.mended
        position = len(self.entries)
        split = self._split_of(article) if self._split_of else None
        self.entries.append(Entry(article.id, str(article.source or ""), split))
        self.n_marks += len(subject.article.spans) + sum(fault.kind != SURFACE for fault in subject.faults)
        self.n_characters += len(article.text)
        for span in article.spans:
            self.labels[span.label][split] += 1
            self._first_of.setdefault(span.label, position)
            surface = surface_of(article, span)
            counts = self._surfaces.get(surface)
            if counts is None:
                counts = self._surfaces[surface] = {}
            if span.label not in counts:
                counts[span.label] = 0
                self._first[surface, span.label] = position
            counts[span.label] += 1
        for field in {*article.labels, *TOP_LEVEL, *self.declared} - {ENTITIES}:
            for value in article.classes(field) or ():
                self.classes[field][value][split] += 1
        if found := [*self._known_id(article, position), *self._known_text(article, position)]:
            self._found[position] = found

    def _known_id(self, article: Article, position: int) -> Iterator[Finding]:
        first = self._ids.setdefault(article.id, position)
        entry = self.entries[position]
        if first != position:
            yield Finding("id", ERROR, article.id, entry.where, f"the id was already used by {self.entries[first].where}")
        if self._split_of and entry.split is None:
            yield Finding("no-split", ERROR, article.id, entry.where, "stands in no row of the split")

    def _known_text(self, article: Article, position: int) -> Iterator[Finding]:
        entry = self.entries[position]
        first = self._texts.setdefault(hashlib.blake2b(article.text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), position)
        alike = self._stream.add(article.text)
        if not article.text.strip():
            return
        if first != position:
            yield Finding("same-text", WARNING, article.id, entry.where, f"has the text of {self._named(first)}")
        across = [pair for pair in alike if entry.split and self.entries[pair[0]].split not in (None, entry.split)]
        if across:
            other, similarity = across[0]
            message = f"{entry.split}: similarity {similarity:.2f} to {self._named(other)} in {self.entries[other].split}"
            yield Finding("leak", WARNING, article.id, entry.where, message)
        elif alike and first == position:
            message = f"similarity {alike[0][1]:.2f} to {self._named(alike[0][0])}"
            yield Finding("near-duplicate", WARNING, article.id, entry.where, message)

    def _named(self, position: int) -> str:
        return f"{self.entries[position].id!r} ({self.entries[position].where})"

    def found_at(self, position: int) -> list[Finding]:
        """Return what was found about an article when it was added."""
        return self._found.get(position, [])

    def unusual_labels(self, subject: Subject) -> Iterator[Finding]:
        """Yield the marks of an article whose words nearly always bear another label."""
        article = subject.mended
        for span in article.spans:
            surface = surface_of(article, span)
            labels = self._surfaces.get(surface, {})
            if len(labels) > 1 and is_unusual(labels, span.label):
                label, n = max(labels.items(), key=lambda item: item[1])
                message = f"{surface!r} is {label} {n} times, and {span.label} {_times(labels[span.label])}"
                where = str(article.source_of(span) or "")
                yield Finding("several-labels", WARNING, article.id, where, message, span.start, span.end, span.label)

    def general(self, where: str) -> Iterator[Finding]:
        """Yield what is about no one article: labels too rare or oddly like another, words under several labels."""
        for surface, labels in self._surfaces.items():
            if sum(not is_unusual(labels, label) for label in labels) > 1:
                entry = self.entries[min(self._first[surface, label] for label in labels)]
                counts = ", ".join(f"{label} {n}" for label, n in sorted(labels.items(), key=lambda item: -item[1]))
                yield Finding("several-labels", NOTE, entry.id, entry.where, f"{surface!r} bears several labels: {counts}")
        if ENTITIES not in self.declared:
            yield from self._rare_labels()
        yield from self._scarce(where)

    def _rare_labels(self) -> Iterator[Finding]:
        totals = Counter({label: counts.total() for label, counts in self.labels.items()})
        names = {label: re.sub(r"[\s_-]", "", label.casefold()) for label in totals}
        alike: dict[str, list[str]] = defaultdict(list)
        for label, name in names.items():
            alike[name].append(label)
        frequent = [label for label, n in totals.items() if RARE_SHARE * n >= 1]  # beside others nothing is rare
        for label, n in sorted(totals.items()):
            near = [other for other in alike[names[label]] if totals[other] > n]
            near += [other for other in frequent if n <= RARE_SHARE * totals[other] and _resembles(names[label], names[other])]
            if near:
                other = max(near, key=totals.__getitem__)
                entry = self.entries[self._first_of[label]]
                message = f"{label!r} stands {_times(n)}, {other!r} {totals[other]:,}"
                yield Finding("rare-label", WARNING, entry.id, entry.where, message, label=label, n=n)

    def _scarce(self, where: str) -> Iterator[Finding]:
        fields: dict[str, Mapping[str, Counter[str | None]]] = {ENTITIES: self.labels, **self.classes}
        for field, counts in fields.items():
            for label in sorted({*counts, *self.declared.get(field, ())}):
                of = counts.get(label, Counter())
                name = label if field == ENTITIES else f"{field}={label}"
                if not self._split_of:
                    if of.total() < MIN_SUPPORT:
                        yield Finding("scarce", NOTE, "", where, f"{name}: {of.total()} in all, fewer than {MIN_SUPPORT}", label=label)
                    continue
                said = f"{name}: " + ", ".join(f"{split} {of[split]}" for split in SPLITS)
                if not of["train"] or not of["test"]:
                    what = "cannot be learnt" if not of["train"] else "cannot be scored"
                    yield Finding("scarce", WARNING, "", where, f"{said}; it {what}", label=label)
                elif of["test"] < MIN_SUPPORT or of["train"] < MIN_SUPPORT:
                    yield Finding("scarce", NOTE, "", where, f"{said}; fewer than {MIN_SUPPORT} are too few to tell", label=label)


def surface_of(article: Article, span: Span) -> str:
    """Return the words of a mark, runs of white space as one space."""
    return " ".join(article.surface(span).split())


def is_unusual(labels: Mapping[str, int], label: str) -> bool:
    """Say whether words bear `label` so seldom, and another so often, that it looks like a slip."""
    total, most = sum(labels.values()), max(labels.values())
    return most >= MIN_MARKED and labels[label] < most and labels[label] <= MAX_MINORITY * total


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n:,} times")


def _resembles(one: str, two: str) -> bool:
    """Say whether a label looks like a misspelling of another one."""
    if re.sub(r"\d", "", one) == re.sub(r"\d", "", two):
        return False  # label_1, label_2
    return difflib.SequenceMatcher(None, one, two).ratio() >= ALIKE
