r"""CoNLL columns: `TOKEN<TAB>TAG` a row (the first column and the last), a blank line between sentences.

A file that opens with a `-DOCSTART-` row holds documents: each is one article, its text the tokens with one space between them and a
line end between sentences. In any other file each sentence is one. Articles are named `<file>-<n>`, unless the row says otherwise as
ours do: `-DOCSTART-<TAB>"id"<TAB>O`, the id as a JSON string.

Tags are IOB1, IOB2, BIOES or BILOU. One rule reads all four, so that files need not say which: `B` opens a mention, and so does an `I` (or
`E`, `L`) that does not continue one of its label; `E` and `L` close it; `S` and `U` are a mention by themselves (Ramshaw and Marcus 1995;
Ratinov and Roth 2009; broken sequences as in seqeval's default mode). Written is IOB2.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sitrep.articles import Article, Source, Span
from sitrep.formats.faults import Loss
from sitrep.formats.files import Context, RowError, decode, read_lines
from sitrep.formats.tokens import cut
from sitrep.formats.writing import Target, flat_spans, is_text, lose_all_but, named
from sitrep.sentences import Sentences

FILES = ("*.conll", "*.bio", "*.txt", "*.tsv")
TAG = re.compile(r"O|(?P<part>[BIESLU])-(?P<label>\S+)")
SCHEMES = {"E": "BIOES", "S": "BIOES", "L": "BILOU", "U": "BILOU"}
DOCSTART = "-DOCSTART-"
HEADING = re.compile(rf'{DOCSTART}\t(?P<id>".*")\tO')

Row = tuple[int, bytes]  # line number, line
Sentence = list[Row]


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the articles of a file; one with a bad row is rejected whole."""
    scheme: set[str] = set()
    for number, (heading, sentences) in enumerate(_articles(path), start=1):
        try:
            yield _article(heading, sentences, path, f"{context.article_id}-{number}", scheme)
        except RowError as error:
            context.reject(error)


def _articles(path: Path) -> Iterator[tuple[Row | None, list[Sentence]]]:
    """Yield the heading and the sentences of each article."""
    heading: Row | None = None
    sentences: list[Sentence] = []
    is_first = True
    for block in _blocks(path):
        if isinstance(block, tuple):
            if heading:
                yield heading, sentences
            if heading or is_first:
                heading, sentences = block, []
        elif heading:
            sentences.append(block)
        else:
            yield None, [block]
        is_first = False
    if heading:
        yield heading, sentences


def _blocks(path: Path) -> Iterator[Sentence | Row]:
    """Yield the sentences of a file, and between them the rows that open documents."""
    rows: Sentence = []
    for number, line in read_lines(path):
        row = line.removeprefix(BOM_UTF8) if number == 1 else line
        is_heading = row.startswith(DOCSTART.encode())
        if row.strip() and not is_heading:
            rows.append((number, line))
            continue
        if rows:
            yield rows
            rows = []
        if is_heading:
            yield number, row
    if rows:
        yield rows


def _article(heading: Row | None, sentences: list[Sentence], path: Path, article_id: str, scheme: set[str]) -> Article:
    texts: list[str] = []
    spans: list[Span] = []
    position = 0
    for rows in sentences:
        tags = _Tags(position, scheme)
        for number, line in rows:
            source = Source(str(path), number)
            tags.add(*_parse(decode(line, path, number), source), source)
        texts.append(" ".join(tags.tokens))
        spans += tags.spans
        position += len(texts[-1]) + 1
    first = heading or sentences[0][0]
    named_id = _stated_id(decode(heading[1], path, heading[0]), Source(str(path), heading[0])) if heading else None
    return Article(article_id if named_id is None else named_id, "\n".join(texts), tuple(spans), source=Source(str(path), first[0]))


def _stated_id(line: str, source: Source) -> str | None:
    match = HEADING.fullmatch(line)
    try:
        stated = json.loads(match["id"]) if match else None
        (stated or "").encode()
    except ValueError as error:
        raise RowError(source, f"{line!r}: the middle column is no JSON string: {error}") from error
    return stated


def join_tokens(rows: Iterable[tuple[str, str]], source: Source) -> tuple[str, list[Span]]:
    """Return the text of (token, tag) rows, with one space between tokens, and its mentions.

    Raises:
        RowError: for what is no tag, or an empty token.
    """
    tags = _Tags(0, set())
    for token, tag in rows:
        if not token:
            raise RowError(source, "an empty token; leave it out, with its tag")
        tags.add(token, tag, source)
    return " ".join(tags.tokens), tags.spans


@dataclass
class _Tags:
    """The tokens and mentions of a sentence that begins at `position` of the text; `scheme` collects which schemes the file's tags show."""

    position: int
    scheme: set[str]
    tokens: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    open_label: str | None = None

    def add(self, token: str, tag: str, source: Source) -> None:
        """Take the next row."""
        match = TAG.fullmatch(tag)
        if not match:
            known = "O, B-LABEL and I-LABEL (IOB1, IOB2), with E- and S- (BIOES) or L- and U- (BILOU)"
            raise RowError(source, f"{tag!r} on {token!r} is no tag; tags are {known}")
        part, label = match["part"], match["label"]
        if part in SCHEMES:
            self.scheme.add(SCHEMES[part])
            if len(self.scheme) > 1:
                raise RowError(source, f"{tag!r} on {token!r}: tags of BIOES (E, S) and of BILOU (L, U) in one file; write it in one")
        end = self.position + len(token)
        if label and part in ("I", "E", "L") and label == self.open_label:
            self.spans[-1] = Span(self.spans[-1].start, end, label)
        elif label:
            self.spans.append(Span(self.position, end, label))
        self.tokens.append(token)
        self.position = end + 1
        self.open_label = label if part in ("B", "I") else None


def _parse(line: str, source: Source) -> tuple[str, str]:
    """Return token and tag of a row."""
    # ASCII only: a token may be, or hold, a no-break space
    columns = line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))
    token, tag = columns[0], columns[-1].strip(" ")
    if len(columns) < 2 or not token or not tag:
        raise RowError(source, f"expected 'TOKEN<TAB>TAG', found {line!r}; a blank line stands between sentences")
    return token, tag


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write articles as documents in IOB2; their white space is lost where it is not what a reader puts between tokens."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for article in articles:
            if is_text(article, target):
                file.write(f"{DOCSTART}\t{json.dumps(article.id, ensure_ascii=False)}\tO\n\n")
                lose_all_but(article, target)
                file.writelines(_rows(article, target))


def _rows(article: Article, target: Target) -> Iterator[str]:
    spans = flat_spans(replace(article, spans=tuple(_taggable(article, target))), target)
    breaks = [start for start in Sentences(article.text).starts if not _is_inside(start, spans)]
    rebuilt: list[str] = []
    n_spans = n_breaks = 0
    for start, end in cut(article.text, spans):
        token = article.text[start:end]
        if token.isspace():
            continue
        while n_spans < len(spans) and spans[n_spans].end <= start:
            n_spans += 1
        is_new = n_breaks < len(breaks) and breaks[n_breaks] <= start
        while n_breaks < len(breaks) and breaks[n_breaks] <= start:
            n_breaks += 1
        if is_new and rebuilt:
            yield "\n"
        rebuilt += [("\n" if is_new else " ") if rebuilt else "", token]
        span = spans[n_spans] if n_spans < len(spans) and spans[n_spans].start <= start else None
        is_inside = span is not None and not article.text[span.start : start].isspace() and span.start < start
        tag = f"{'I' if is_inside else 'B'}-{span.label}" if span else "O"
        yield f"{token}\t{tag}\n"
    yield "\n"
    if "".join(rebuilt) != article.text:
        target.lose(Loss(article.id, "white space of texts", "read back: a space between tokens, a line end between sentences"))


def _is_inside(position: int, spans: Sequence[Span]) -> bool:
    """Say whether one of the mentions, sorted and flat, begins before and ends behind a position."""
    before = bisect_left(spans, position, key=lambda span: span.start)
    return before > 0 and spans[before - 1].end > position


def _taggable(article: Article, target: Target) -> Iterator[Span]:
    for span in article.spans:
        surface = article.surface(span)
        if not re.fullmatch(r"\S+", span.label):
            target.lose(Loss(article.id, "mentions whose label holds white space", named(article, span)))
        elif surface.isspace():
            target.lose(Loss(article.id, "mentions of white space alone", named(article, span)))
        else:
            if surface != surface.strip():
                target.lose(Loss(article.id, "white space at the ends of mentions", named(article, span)))
            yield span
