"""Tokens as Prodigy wants them: spans begin and end with one, and the texts, with a space behind those of `ws`, are the text again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sitrep.articles import Source, Span
from sitrep.formats.faults import SURFACE, Fault, Loss, Mark
from sitrep.formats.files import Context, RowError
from sitrep.formats.marks import report
from sitrep.formats.tokens import cut

Token = dict[str, Any]


def tokenize(text: str, spans: Sequence[Span]) -> list[Token]:
    """Return the words, punctuation marks and stretches of white space of a text, cut where a span begins or ends.

    One space behind a token belongs to it (`ws`), as in spaCy, unless a span begins with it or ends behind it.
    """
    starts, ends = {span.start for span in spans}, {span.end for span in spans}
    tokens: list[Token] = []
    for start, end in cut(text, spans):
        begin = start
        if tokens and text[start] == " " and start not in starts and start + 1 not in ends and not tokens[-1]["ws"]:
            tokens[-1]["ws"] = True
            begin = start + 1
        if begin < end:
            tokens.append({"text": text[begin:end], "start": begin, "end": end, "id": len(tokens), "ws": False})
    return tokens


def with_tokens(spans: Sequence[Span], tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """Return spans as Prodigy has them, with their first and last token."""
    first = {token["start"]: token["id"] for token in tokens}
    last = {token["end"]: token["id"] for token in tokens}
    rows = []
    for span in spans:
        row = {"start": span.start, "end": span.end, "token_start": first[span.start], "token_end": last[span.end], "label": span.label}
        rows.append(row if span.score is None else {**row, "score": span.score})
    return rows


def parse_spans(row: dict[str, Any], text: str, article_id: str, source: Source, context: Context) -> Iterator[Mark]:
    """Yield the marks of a row.

    A span that states tokens only gets its offsets from them; one whose offsets and tokens disagree is a fault, and keeps its offsets.

    Raises:
        RowError: if a span is none, or states tokens that the row does not have.
    """
    raw = row.get("spans") or []
    if not isinstance(raw, list) or not all(isinstance(span, dict) for span in raw):
        raise RowError(source, f"'spans' must be an array of objects, found {str(raw)[:80]}")
    for span in raw:
        by_tokens = _by_tokens(span, row.get("tokens"), source)
        start, end = span.get("start"), span.get("end")
        if start is None and end is None and by_tokens:
            start, end = by_tokens
        if type(start) is not int or type(end) is not int:
            raise RowError(source, f"a span needs 'start' and 'end', or tokens that say where it is, found {str(span)[:80]}")
        label, score, surface = span.get("label"), span.get("score"), span.get("text")
        reads = f"[{start}, {end}) {text[max(start, 0) : max(end, 0)]!r}"
        if label is None or label == "":
            context.lose(Loss(article_id, "spans without a label", reads))
            continue
        if not isinstance(label, str) or isinstance(score, bool) or not isinstance(score, (int, float, type(None))):
            raise RowError(source, f"'label' of a span must be a word and 'score' a number, found {str(span)[:80]}")
        mark = Mark(start, end, label, surface if isinstance(surface, str) else None, source, score)
        if by_tokens and by_tokens != (start, end):
            said = f"article {article_id!r}: span {label} is {reads} by its offsets, but [{by_tokens[0]}, {by_tokens[1]}) by its tokens"
            report(Fault(SURFACE, article_id, mark, f"{said}; remove what is wrong, or annotate the text again"), context)
        yield mark


def _by_tokens(span: dict[str, Any], tokens: Any, source: Source) -> tuple[int, int] | None:
    """Return where a span is by its tokens, of which the last is inside, or None if the row states none of them."""
    first, last = span.get("token_start"), span.get("token_end")
    if not isinstance(tokens, list) or first is None or last is None:
        return None
    is_number = type(first) is int and type(last) is int
    if not is_number or not 0 <= first <= last < len(tokens) or not all(isinstance(tokens[place], dict) for place in (first, last)):
        raise RowError(source, f"a span from token {first!r} to {last!r}, but the row has {len(tokens)} tokens")
    start, end = tokens[first].get("start"), tokens[last].get("end")
    if type(start) is not int or type(end) is not int:
        raise RowError(source, f"a token needs 'start' and 'end', found {str(tokens[first])[:80]}")
    return start, end
