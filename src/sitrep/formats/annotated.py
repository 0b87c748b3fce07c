r"""Annotated Markdown, our own labelling format: YAML front matter, then the text with mentions marked as `[surface](LABEL)`.

A literal `[`, `]` or backslash is escaped with a backslash. Marks are flat. The text is the body without leading and
trailing newlines, marks and escapes removed. See data/GUIDELINES.md. Written as a folder, a file an article: of mentions that overlap
the longest is marked, scores are not, and every scalar of the front matter is read back as the string that stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from sitrep.articles import Article, Source, Span
from sitrep.formats.faults import Loss
from sitrep.formats.files import Context, RowError, read_text
from sitrep.formats.rows import check_characters
from sitrep.formats.writing import FileNames, Target, flat_spans, is_text, lose_all_but, named

FOLDER_FILES = ("*.md",)  # what a folder written here holds
FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
SPECIAL = re.compile(r"[\[\]\\]")
LABEL = re.compile(r"\(([^()\s]+)\)")


def is_annotated(text: str) -> bool:
    """Say whether a Markdown text opens with front matter that holds `id`, and so is annotated."""
    match = FRONT_MATTER.match(text)
    return bool(match and re.search(r"^id[ \t]*:", match["yaml"], re.MULTILINE))


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the one article of an annotated Markdown file."""
    yield parse(read_text(path, context), path)


def parse(raw: str, path: Path) -> Article:
    """Return the article of an annotated Markdown text, read from `path`.

    Raises:
        RowError: if it is none.
    """
    match = FRONT_MATTER.match(raw)
    if not match:
        raise RowError(Source(str(path)), "no front matter; an annotated article opens with '---', 'id: ...', '---'")
    fields = _parse_front_matter(match["yaml"], path)
    body = raw[match.end() :]
    line = raw.count("\n", 0, match.end() + len(body) - len(body.lstrip("\r\n"))) + 1
    source = Source(str(path), line, is_text=True)
    text, spans = parse_marks(body.strip("\r\n"), source)
    article_id, labels = fields.pop("id"), fields.pop("labels", {})
    return Article(id=article_id, text=text, spans=spans, labels=labels, extra=fields, source=source)


class _Loader(yaml.BaseLoader):
    """Without aliases: a few of them unfold to more than any memory holds, or hold themselves."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="'*' opens an alias, which is not read; put quotes around the value", problem_mark=mark)
        return super().compose_node(parent, index)


def _parse_front_matter(text: str, path: Path) -> dict:
    """Return the fields of the front matter; every scalar stays the string that was written (`007`, `2021-03-04`)."""
    source = Source(str(path))
    try:
        fields = yaml.load(text, Loader=_Loader)
        check_characters(fields, source)
    except (ValueError, RecursionError) as error:  # an escape that is no character; brackets nested by the thousand
        raise RowError(source, f"bad front matter: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        raise RowError(Source(str(path), line), f"bad front matter: {getattr(error, 'problem', error)}") from error
    if not isinstance(fields, dict):
        raise RowError(source, "bad front matter: expected 'key: value' lines")
    if not isinstance(fields.get("id"), str) or not fields["id"].strip():
        raise RowError(source, "bad front matter: no 'id:', which every annotated article needs")
    labels = fields.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(values, list) for values in labels.values()):
        raise RowError(source, "bad front matter: 'labels' must map each field to a list of labels")
    fields["labels"] = {name: tuple(values) for name, values in labels.items()}
    return fields


def parse_marks(body: str, source: Source) -> tuple[str, tuple[Span, ...]]:
    """Return the text of `body` without marks and escapes, and the marks as spans.

    Raises:
        RowError: for an unclosed, nested, empty or unlabelled mark, or an unescaped bracket or backslash.
    """
    parts: list[str] = []
    spans: list[Span] = []
    length = position = 0
    opened: tuple[int, int] | None = None  # where the open mark starts: in the text, in the body

    def fail(at: int, reason: str) -> RowError:
        return RowError(Source(source.path, source.line + body.count("\n", 0, at)), f"{reason}: {body[at : at + 40]!r}")

    for match in SPECIAL.finditer(body):
        at = match.start()
        if at < position:  # the character behind a backslash, already taken
            continue
        parts.append(body[position:at])
        length += at - position
        position = at + 1
        if match[0] == "\\":
            if body[position : position + 1] not in ("[", "]", "\\") or position == len(body):
                raise fail(at, r"a literal backslash is written \\ (only \[ \] \\ are escapes)")
            parts.append(body[position])
            length += 1
            position += 1
        elif match[0] == "[":
            if opened:
                raise fail(at, "nested or unclosed mark: '[' inside a mark opened before; marks are flat, a literal bracket is \\[")
            opened = (length, at)
        else:
            label = LABEL.match(body, position)
            if not opened:
                raise fail(at, "']' without an open mark; a literal bracket is written \\]")
            if not label:
                raise fail(opened[1], "mark without a label; write [surface](LABEL), or \\[ \\] for literal brackets")
            if opened[0] == length:
                raise fail(opened[1], "empty mark")
            spans.append(Span(opened[0], length, label[1]))
            position, opened = label.end(), None
    if opened:
        raise fail(opened[1], "unclosed mark; write [surface](LABEL), or \\[ for a literal bracket")
    parts.append(body[position:])
    return "".join(parts), tuple(spans)


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write each article to a file of its own in the folder `path`, named by its id as far as file systems allow."""
    path.mkdir(parents=True, exist_ok=True)
    names = FileNames()
    for article in articles:
        if is_text(article, target):
            (path / f"{names(article.id)}.md").write_text(format_article(article, target), encoding="utf-8", newline="")


def format_article(article: Article, target: Target) -> str:
    """Return the file that holds `article`; class labels stand under `labels:`."""
    lose_all_but(article, target, "labels", "extra")
    return f"---\n{_front_matter(article, target)}---\n{_mark(article, target)}\n"


def replace_article(raw: str, article: Article, target: Target) -> str:
    """Return the file `raw` with the labels of `article`, whose text it holds; what did not change stands as it was written."""
    old = parse(raw, Path(article.source.path if article.source else ""))
    match = FRONT_MATTER.match(raw)
    assert match
    body = raw[match.end() :]
    front = raw[: match.end()]
    if (old.labels, old.extra) != (article.labels, article.extra):
        front = f"---\n{_front_matter(article, target)}---\n"
    before, after = body[: len(body) - len(body.lstrip("\r\n"))], body[len(body.rstrip("\r\n")) :]
    return f"{front}{before}{_mark(article, target)}{after}"


def _front_matter(article: Article, target: Target) -> str:
    """Return the front matter; what reads otherwise than it stood in the article is reported."""
    article_id = article.id if article.id.strip() else "article"
    fields: dict[str, Any] = {"id": article_id, **article.extra}
    if article.labels:
        fields["labels"] = {name: list(values) for name, values in article.labels.items()}
    front = yaml.dump(fields, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10_000)
    if "\x85" in front:  # PyYAML writes it as it is, but reads it as a line end
        front = yaml.dump(fields, Dumper=_Dumper, allow_unicode=False, sort_keys=False, width=10_000)
    read_back = _parse_front_matter(front, Path(f"{article_id}.md"))
    if article_id != article.id:
        target.lose(Loss(article.id, "ids", f"{article.id!r} becomes {article_id!r}"))
    for name, value in article.extra.items():
        if read_back[name] != value:
            target.lose(Loss(article.id, "types of other fields", f"{name}: {value!r} becomes {read_back[name]!r}"))
    for name, values in article.labels.items():
        if read_back["labels"][name] != values:
            target.lose(Loss(article.id, "types of class labels", f"{name}: {values!r} become {read_back['labels'][name]!r}"))
    return front


class _Dumper(yaml.SafeDumper):
    """Without aliases, which the reader refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _mark(article: Article, target: Target) -> str:
    text = article.text.strip("\r\n")
    first = len(article.text) - len(article.text.lstrip("\r\n")) if text else 0
    if text != article.text:
        target.lose(Loss(article.id, "newlines around texts", f"{len(article.text) - len(text)} characters"))
    markable = []
    for span in article.spans:
        if not LABEL.fullmatch(f"({span.label})"):
            target.lose(Loss(article.id, "mentions whose label holds white space or parentheses", named(article, span)))
        elif span.start < first or span.end > first + len(text):
            target.lose(Loss(article.id, "mentions of newlines around texts", named(article, span)))
        else:
            markable.append(span)
    parts, position = [], first
    for span in flat_spans(replace(article, spans=tuple(markable)), target):
        parts += [_escape(article.text[position : span.start]), f"[{_escape(article.surface(span))}]({span.label})"]
        position = span.end
    return "".join([*parts, _escape(article.text[position : first + len(text)])])


def _escape(text: str) -> str:
    return SPECIAL.sub(lambda match: "\\" + match[0], text)
