"""From a row, be it a line of JSON or of a table, to its article; and JSON that is safe to keep and to write again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sitrep.articles import Article, Source
from sitrep.formats.faults import Mark
from sitrep.formats.files import DEFAULT_ID_FIELD, Context, RowError
from sitrep.formats.marks import check_scores, spans_of

KNOWN_KEYS = {"id", "text", "spans", "labels", "scores"}
MAX_DEPTH = 100  # of nested values; Python's own limit depends on who calls, so that what was read might not be written
SURROGATE = re.compile("[\ud800-\udfff]")
BLANK = re.compile("[ \t\r\n]*")
DECODER = json.JSONDecoder()


def parse_json(text: str, source: Source) -> Any:
    """Return the value of a JSON text, which begins at `source`.

    Raises:
        RowError: if it is not JSON, or holds what cannot be written again: half characters, values nested too deep.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a whole number of thousands of digits
        raise RowError(Source(source.path, source.line + getattr(error, "lineno", 1) - 1), f"not JSON: {error}") from error
    _check_value(value, text, source)
    return value


def parse_array(text: str, source: Source) -> Iterator[tuple[Source, Any]]:
    """Yield the elements of a JSON array, each with the line in which it begins; any other value as if it stood in an array alone.

    Raises:
        RowError: as `parse_json` does; the elements before come first.
    """
    position, line, counted = _skip(text, 0), source.line, 0
    if text[position : position + 1] != "[":
        yield source, parse_json(text, source)
        return
    position = _skip(text, position + 1)
    while text[position : position + 1] != "]":
        line, counted = line + text.count("\n", counted, position), position
        begin = Source(source.path, line)
        try:
            value, end = DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise RowError(Source(source.path, getattr(error, "lineno", line)), f"not JSON: {error}") from error
        _check_value(value, text[position:end], begin)
        yield begin, value
        position = _skip(text, end)
        if text[position : position + 1] == ",":
            position = _skip(text, position + 1)
        elif text[position : position + 1] != "]":
            raise _no_array(text, position, source)
    if (rest := _skip(text, position + 1)) < len(text):
        raise _no_array(text, rest, source)


def _skip(text: str, position: int) -> int:
    return BLANK.match(text, position).end()  # type: ignore[union-attr]


def _no_array(text: str, position: int, source: Source) -> RowError:
    found = text[position : position + 20]
    how = f"found {found!r}" if found else "the file ends"
    return RowError(Source(source.path, source.line + text.count("\n", 0, position)), f"not JSON: {how} where an array goes on or is over")


def _check_value(value: Any, text: str, source: Source) -> None:
    """Demand of a value that was parsed from `text` that it can be written again."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise RowError(source, f"values are nested more than {MAX_DEPTH} deep; flatten them")
    if re.search(r"\\u[dD]", text):
        check_characters(value, source)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in inner if isinstance(item, (dict, list))]


def check_characters(value: Any, source: Source) -> None:
    """Demand that no string in `value` holds half of a surrogate pair, which no file in UTF-8 can."""
    if SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise RowError(source, "the row holds half of a surrogate pair, which is no character; re-export it as valid Unicode")


def article_of(row: Any, source: Source, context: Context, default_id: str) -> Article:
    """Return the article of a row; keys that are not the article's own go into `extra`.

    Raises:
        RowError: if it is no row of an article.
    """
    row = object_of(row, source)
    text = text_of(row, source, context)
    article_id = id_of(row, default_id, source, context)
    taken = {context.text_field, context.id_field, "spans", "labels", "scores"}
    marks = [_parse_mark(raw, source) for raw in _typed(row, "spans", list, source)]
    scores = _typed(row, "scores", dict, source)
    check_scores(scores, article_id, source)
    return Article(
        id=article_id,
        text=text,
        spans=spans_of(marks, article_id, text, context),
        labels={name: tuple(values) for name, values in _typed(row, "labels", dict, source).items()},
        scores=scores,
        extra={key: value for key, value in row.items() if key not in taken},
        source=source,
    )


def object_of(value: Any, source: Source) -> dict[str, Any]:
    """Return a value of JSON that must be an object."""
    if not isinstance(value, dict):
        raise RowError(source, f"expected a JSON object, found {type(value).__name__}")
    return value


def text_of(row: Mapping[str, Any], source: Source, context: Context) -> str:
    """Return the text of a row, which must have one."""
    text = row.get(context.text_field)
    if not isinstance(text, str):
        raise RowError(
            source,
            f"no string under {context.text_field!r}; the row has: {', '.join(row) or 'nothing'}; text_field= says where the text is",
        )
    return text


def id_of(row: Mapping[str, Any], default: str | int, source: Source, context: Context) -> str:
    """Return the id of a row, `default` if it states none.

    Raises:
        RowError: if it states none though the user named its key, or what can be no id.
    """
    if context.id_field not in row and context.id_field != DEFAULT_ID_FIELD:
        raise RowError(source, f"no {context.id_field!r}, which id_field= names; the row has: {', '.join(row) or 'nothing'}")
    found = row.get(context.id_field, default)
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        raise RowError(source, f"{context.id_field!r} must be a string or a whole number, found {found!r}")
    return str(found)


def check_columns(names: Sequence[str], source: Source, context: Context, hint: str = "") -> None:
    """Demand of a table that its columns hold the text, and the id if the user named its column, and that none hides another."""
    listed = ", ".join(names) or "none"
    if context.text_field not in names:
        raise RowError(source, f"no column {context.text_field!r}; the columns are: {listed}; text_field= says which holds the text{hint}")
    if context.id_field not in names and context.id_field != DEFAULT_ID_FIELD:
        raise RowError(source, f"no column {context.id_field!r}, which id_field= names; the columns are: {listed}")
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise RowError(source, f"several columns are called {twice[0]!r}; rename them, so that none hides another")


def _typed(row: dict, key: str, kind: type, source: Source) -> Any:
    value = row.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise RowError(source, f"'{key}' must be a JSON {'array' if kind is list else 'object'}, found {value!r}")
    if key == "labels" and not all(isinstance(names, list) for names in row[key].values()):
        raise RowError(source, f"'labels' must map each field to a list, found {value!r}")
    if key == "scores" and not all(isinstance(scores, dict) for scores in row[key].values()):
        raise RowError(source, f"'scores' must map each field to an object, found {value!r}")
    return value


def _parse_mark(raw: Any, source: Source) -> Mark:
    if not isinstance(raw, dict) or not {"start", "end", "label"} <= raw.keys():
        raise RowError(source, f"a span needs 'start', 'end' and 'label', found {raw!r}")
    start, end, label, score = raw["start"], raw["end"], raw["label"], raw.get("score")
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label:
        raise RowError(source, f"'start' and 'end' must be whole numbers and 'label' a word, found {raw!r}")
    if not isinstance(score, (int, float, type(None))):
        raise RowError(source, f"'score' must be a number, found {raw!r}")
    return Mark(start, end, label, raw.get("text"), source, score)


def keep_apart(article: Article) -> Article:
    """Return the article with what would stand in the place of its own id, text or marks, when written, under another key.

    A column `labels`, the `text` beside a text taken from `body`: they become `input_labels`, `input_text`.
    """
    if KNOWN_KEYS.isdisjoint(article.extra):
        return article
    return replace(article, extra=_renamed(article.extra))


def _renamed(extra: Mapping[str, Any]) -> dict[str, Any]:
    taken = KNOWN_KEYS | extra.keys()
    renamed = {}
    for key, value in extra.items():
        name = key
        while name in KNOWN_KEYS or (name != key and name in taken):
            name = f"input_{name}"
        renamed[name] = value
    return renamed
