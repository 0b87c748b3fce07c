"""What the data doctor can find: the rules by name, and one finding with the repair that it proposes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sitrep.articles import Article

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
"""error: training refuses it or learns something else; warning: most likely a mistake; note: worth a look."""

CONTEXT_CHARS = 60  # of the text on either side of a mark, beside a finding

Key = tuple[int, int, str]


class Marked(Protocol):
    """A mark, a span, or a finding about one."""

    @property
    def start(self) -> int | None:
        """Where it begins."""
        ...

    @property
    def end(self) -> int | None:
        """Where it ends."""
        ...

    @property
    def label(self) -> str | None:
        """What it is called."""
        ...


def key_of(mark: Marked) -> Key:
    """Return what tells marks of an article apart: start, end, label."""
    assert mark.start is not None and mark.end is not None and mark.label is not None
    return mark.start, mark.end, mark.label


@dataclass(frozen=True, slots=True)
class Rule:
    """title: what the rule finds, in the plural; advice: what to do about it."""

    title: str
    advice: str


RULES: Mapping[str, Rule] = {
    "unreadable": Rule("files and rows that cannot be read", "mend or remove them; the message says how"),
    "id": Rule("ids used twice", "give each article an id of its own"),
    "no-text": Rule("articles without text", "remove them, or add their text"),
    "no-split": Rule("articles in no split", "add them with action=split"),
    "no-article": Rule("rows of the split without their article", "bring the articles back, or remove the rows"),
    "no-class": Rule("articles without a class field that is declared", "label it, with [] where no label applies"),
    "offsets": Rule("offsets counted in other units or shifted", "fix=safe moves those that the stated text bears out, fix=offsets all"),
    "outside": Rule("marks that reach beyond the text", "export again with offsets in code points of the text as it stands"),
    "empty": Rule("marks that cover no character", "remove them, or mark the mention"),
    "gaps": Rule("marks in several pieces", "mark the whole mention; an article holds none with gaps"),
    "value": Rule("values that differ from the marked text", "look which of them is right; the offsets count"),
    "duplicate": Rule("marks that stand twice", "fix=safe removes the second"),
    "label": Rule("labels that are not declared", "mend them, declare them, or drop them with drop_labels"),
    "rare-label": Rule("rare labels that resemble a frequent one", "mend them if they are misspelt"),
    "space": Rule("marks with white space at an end", "fix=safe trims them"),
    "punctuation": Rule("marks with punctuation at an end", "leave it outside, unless it belongs to the name"),
    "inside-word": Rule("marks that begin or end inside a word", "mark the whole word"),
    "overlap": Rule("pairs of marks that overlap", "keep the longer one; of heads only span holds both"),
    "several-labels": Rule("marks whose words bear another label elsewhere", "look whether it is meant"),
    "unmarked": Rule("names marked elsewhere in the article, not here", "mark every mention"),
    "same-text": Rule("articles with the text of another", "keep one"),
    "near-duplicate": Rule("articles in nearly the words of another", "keep one, or leave them in the same split"),
    "leak": Rule("articles in nearly the words of one in another split", "make the split anew: it keeps them together"),
    "scarce": Rule("labels too rare to learn or to score", "mark more of them, or drop them with drop_labels"),
    "no-marks": Rule("articles without any mark", "look whether they were labelled at all"),
    "not-read": Rule("what the files hold and an article cannot", "nothing, unless you need it: it is not learnt from"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repair:
    """What would mend a mark: the offsets it should have, or None to remove it.

    safe:      nothing is guessed: the file states the text that stands there, or only white space or a copy goes
    is_offset: the same mark under other offsets, as `fix=offsets` mends it though the file states no text
    """

    span: tuple[int, int] | None
    safe: bool
    is_offset: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or looks it.

    where: `file:line`
    start, end: the offsets of the mark as the file states them, which may lie outside the text; None where it is not about one
    label: that of the mark, or the label that it is about
    n:     how many cases it stands for (a mark that overlaps three others: 3)
    kind:  what kind of the rule's cases it is, where they are told apart
    """

    rule: str
    severity: str
    article_id: str
    where: str
    message: str
    start: int | None = None
    end: int | None = None
    label: str | None = None
    repair: Repair | None = None
    n: int = 1
    kind: str | None = None


def row_of(finding: Finding, article: Article | None) -> dict[str, Any]:
    """Return a finding as a row of the JSON report, with the text around its mark."""
    row: dict[str, Any] = {
        "rule": finding.rule,
        "severity": finding.severity,
        "id": finding.article_id,
        "where": finding.where,
        "label": finding.label,
        "message": finding.message,
        "n": finding.n,
    }
    if finding.start is not None and finding.end is not None:
        row |= {"start": finding.start, "end": finding.end, **_around(article, finding.start, finding.end)}
    if finding.repair:
        row["repair"] = {
            "action": "move" if finding.repair.span else "remove",
            **(dict(zip(("start", "end"), finding.repair.span, strict=True)) if finding.repair.span else {}),
            "safe": finding.repair.safe,
        }
    return row


def _around(article: Article | None, start: int, end: int) -> dict[str, str]:
    """Return the marked text and what stands around it; nothing where the offsets lie outside."""
    if article is None or not 0 <= start <= end <= len(article.text):
        return {"text": "", "before": "", "after": ""}
    return {
        "text": article.text[start:end],
        "before": article.text[max(0, start - CONTEXT_CHARS) : start],
        "after": article.text[end : end + CONTEXT_CHARS],
    }
