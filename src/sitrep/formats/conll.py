"""CoNLL columns: `TOKEN<TAB>TAG` a row (the first column and the last), IOB2 tags, a blank line between sentences.

Each sentence is one article, named `<file>-<n>`; its text is the tokens with one space between them.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from sitrep.articles import Article, Source, Span
from sitrep.formats.files import Context, RowError, decode, read_lines

FILES = ("*.conll", "*.bio", "*.txt", "*.tsv")
TAG = re.compile(r"O|(?P<part>[BI])-(?P<label>\S+)")

Rows = list[tuple[int, bytes]]  # line number, line


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the sentences of a file; one with a bad row is rejected whole."""
    for number, rows in enumerate(_sentences(path), start=1):
        try:
            yield _article(rows, path, f"{context.article_id}-{number}")
        except RowError as error:
            context.reject(error)


def _sentences(path: Path) -> Iterator[Rows]:
    rows: Rows = []
    for number, line in read_lines(path):
        row = line.removeprefix(BOM_UTF8) if number == 1 else line
        if row.strip() and not row.startswith(b"-DOCSTART-"):
            rows.append((number, line))
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _article(rows: Rows, path: Path, article_id: str) -> Article:
    tokens: list[str] = []
    spans: list[Span] = []
    position = 0
    open_label = None
    for number, line in rows:
        token, part, label = _parse(decode(line, path, number), Source(str(path), number))
        end = position + len(token)
        if label and part == "I" and label == open_label:
            spans[-1] = Span(spans[-1].start, end, label)
        elif label:  # also an I-X that does not continue an X, as in seqeval's default mode
            spans.append(Span(position, end, label))
        tokens.append(token)
        position, open_label = end + 1, label
    return Article(article_id, " ".join(tokens), tuple(spans), source=Source(str(path), rows[0][0]))


def _parse(line: str, source: Source) -> tuple[str, str | None, str | None]:
    """Return token, `B` or `I`, and label of a row; the latter two are None outside of mentions."""
    # ASCII only: a token may be, or hold, a no-break space
    columns = line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))
    token, tag = columns[0], columns[-1].strip(" ")
    if len(columns) < 2 or not token or not tag:
        raise RowError(source, f"expected 'TOKEN<TAB>TAG', found {line!r}; a blank line stands between sentences")
    match = TAG.fullmatch(tag)
    if not match:
        raise RowError(source, f"{tag!r} on {token!r} is no tag; tags are O, B-LABEL and I-LABEL (IOB2)")
    return token, match["part"], match["label"]
