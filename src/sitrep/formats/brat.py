r"""brat stand-off: `name.ann` holds `T1<TAB>LABEL start end<TAB>surface` for the text in `name.txt`, in code points.

The text may also live elsewhere (a publisher's article that must not be copied): then `text_dir` is searched for it by name,
and by the SHA-256 that `name.json` states beside the `.ann`:
`{"text_sha256": "...", "labels": {"topics": [...], "region": [...]}}`. Every other key of `name.json` is kept; `id` and `scores` are the
article's. A note `#1<TAB>AnnotatorNotes T1<TAB>score 0.93 model` holds the score of a mention that a model found.

Fragments with nothing but white space between them, as brat stores a mention that crosses a line end, are one mention.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source
from sitrep.formats.faults import DISCONTINUOUS, Fault, Loss, Mark
from sitrep.formats.files import Context, RowError, decode, read_bytes, read_text
from sitrep.formats.marks import check_scores, report, spans_of
from sitrep.formats.rows import parse_json
from sitrep.formats.writing import FileNames, Target, is_text, named

FOLDER_FILES = ("*.txt", "*.ann", "*.json")  # what a folder written here holds
ENTITY = re.compile(r"(?P<id>T\S*)\t(?P<label>\S+) (?P<offsets>\d+ \d+(?:;\d+ \d+)*)\t(?P<surface>.*)", re.DOTALL)
SCORE = re.compile(r"#\S*\tAnnotatorNotes (?P<id>T\S*)\tscore (?P<score>[\d.]+(?:e-?\d+)?)(?: .*)?", re.DOTALL)
OTHERS = {
    "R": "relations", "*": "relations", "E": "events", "A": "attributes", "M": "attributes", "N": "normalisations", "#": "notes",
}  # fmt: skip
HASH = "text_sha256"


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the one article of an `.ann` file."""
    meta = _read_meta(path.with_suffix(".json"))
    text = decode(_find_text(path, meta.pop(HASH, None), context.text_dir), path.with_suffix(".txt"))
    labels = {name: tuple(values) for name, values in meta.pop("labels", {}).items()}
    scores = meta.pop("scores") if _holds_scores(meta.get("scores")) else {}
    article_id = str(meta.pop("id", context.article_id))
    check_scores(scores, article_id, Source(str(path.with_suffix(".json"))))
    marks: dict[str, Mark] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        _take(line.rstrip("\r"), text, Source(str(path), number), marks, replace(context, article_id=article_id))
    spans = spans_of(marks.values(), article_id, text, context)
    yield Article(article_id, text, spans, labels, scores, meta, Source(str(path)))


def _take(line: str, text: str, source: Source, marks: dict[str, Mark], context: Context) -> None:
    """Add what a line says to the marks by their ids; what no article holds goes to `context.lose`, a mention with gaps is a fault."""
    article_id = context.article_id
    score = SCORE.fullmatch(line)
    if line.startswith("T"):
        name, mark, has_gaps = _parse_entity(line, text, source)
        if has_gaps:
            how = f"discontinuous mention {mark.surface!r} ({line.split(chr(9))[1].partition(' ')[2]})"
            reason = f"{how}: join its fragments in brat, sitrep reads whole mentions"
            report(Fault(DISCONTINUOUS, article_id, mark, reason), context)
        elif name in marks:
            raise RowError(source, f"{name} stands twice, also in line {marks[name].source.line}; brat names each mention once")
        else:
            marks[name] = mark
    elif score and score["id"] in marks and marks[score["id"]].score is None and (value := _number(score["score"])) is not None:
        marks[score["id"]] = replace(marks[score["id"]], score=value)
    elif line.strip():
        context.lose(Loss(article_id, OTHERS.get(line[0], "lines that are no entities"), f"{Path(source.path).name}:{source.line}: {line}"))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _holds_scores(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(scores, dict) for scores in value.values())


def _read_meta(path: Path) -> dict:
    if not path.exists():
        return {}
    meta = parse_json(read_text(path), Source(str(path)))
    labels = meta.get("labels", {}) if isinstance(meta, dict) else None
    if not isinstance(labels, dict) or not all(_is_strings(values) for values in labels.values()):
        found = "" if labels is None else f"; 'labels' must map each field to a list of strings, found {str(labels)[:80]}"
        raise RowError(Source(str(path)), 'expected an object such as {"text_sha256": "...", "labels": {"topics": []}}' + found)
    if isinstance(meta.get("id", ""), bool) or not isinstance(meta.get("id", ""), (str, int)):
        raise RowError(
            Source(str(path)), f"'id' must be a string or a whole number, found {meta['id']!r}; without one the file's name is it"
        )
    return meta


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _find_text(path: Path, sha256: str | None, text_dir: Path | None) -> bytes:
    """Return the bytes of the text that `path` annotates: beside it, or below `text_dir` by name, then by hash."""
    beside = path.with_suffix(".txt")
    candidates = [beside] if beside.exists() else []
    if text_dir and not candidates:
        candidates = sorted(text_dir.rglob(beside.name)) or (sorted(text_dir.rglob("*.txt")) if sha256 else [])
    hashes = []
    for candidate in candidates:
        data = read_bytes(candidate)
        hashes.append(hashlib.sha256(data).hexdigest())
        if sha256 in (None, hashes[-1]):
            return data
    if hashes:
        raise RowError(
            Source(str(path)),
            f"{candidates[0]} is not the text that was labelled: its SHA-256 is {hashes[0]}, expected {sha256}; "
            "fetch the text again as it was, or point text_dir= to it",
        )
    where = f"{beside} nor in text_dir={text_dir}" if text_dir else f"{beside}"
    raise RowError(Source(str(path)), f"its text is neither at {where}; give the folder that holds it as text_dir=")


def _parse_entity(line: str, text: str, source: Source) -> tuple[str, Mark, bool]:
    """Return the name of a mention, its mark, and whether it has gaps."""
    match = ENTITY.fullmatch(line)
    if not match:
        raise RowError(source, f"expected 'T1<TAB>LABEL start end<TAB>surface', found {line!r}")
    try:
        fragments = [tuple(map(int, fragment.split())) for fragment in match["offsets"].split(";")]
    except ValueError as error:  # a number of thousands of digits
        raise RowError(source, f"offsets that are no numbers: {error}") from error
    start, end = fragments[0][0], fragments[-1][1]
    gaps = [(before[1], after[0]) for before, after in pairwise(fragments)]
    has_gaps = not all(first <= then and (first == then or text[first:then].isspace()) for first, then in gaps)
    surface = match["surface"] if has_gaps or _as_shown(text[start:end]) != match["surface"] else text[start:end]
    return match["id"], Mark(start, end, match["label"], surface, source), has_gaps


def _as_shown(surface: str) -> str:
    """Return a surface as it stands in its line: brat writes a line end inside a mention as a space."""
    return re.sub("[\r\n]", " ", surface)


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write each article to a `.txt` and an `.ann` in the folder `path`; what these cannot hold stands in a `.json` beside them."""
    path.mkdir(parents=True, exist_ok=True)
    names = FileNames()
    for article in articles:
        if not is_text(article, target):
            continue
        name = names(article.id)
        mark = "\ufeff" if article.text.startswith("\ufeff") else ""  # readers take the first for a byte-order mark
        (path / f"{name}.txt").write_bytes((mark + article.text).encode())
        (path / f"{name}.ann").write_bytes("".join(_lines(article, target)).encode())
        if meta := _meta(article, name, target):
            (path / f"{name}.json").write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def _lines(article: Article, target: Target) -> Iterator[str]:
    by = f" {' '.join(target.predicted_by.split())}" if target.predicted_by else ""
    number = 0
    for span in article.spans:
        if not re.fullmatch(r"\S+", span.label):
            target.lose(Loss(article.id, "mentions whose label holds white space", named(article, span)))
            continue
        number += 1
        yield f"T{number}\t{span.label} {span.start} {span.end}\t{_as_shown(article.surface(span))}\n"
        if span.score is not None:
            yield f"#{number}\tAnnotatorNotes T{number}\tscore {span.score!r}{by}\n"


def _meta(article: Article, name: str, target: Target) -> dict[str, Any]:
    meta: dict[str, Any] = {} if article.id == name else {"id": article.id}
    meta |= {key: value for key, value in article.extra.items() if key != HASH}
    if HASH in article.extra:  # it would be taken for the hash of the text
        target.lose(Loss(article.id, "other fields", HASH))
    if article.labels:
        meta["labels"] = {field: list(values) for field, values in article.labels.items()}
    return {**meta, "scores": article.scores} if article.scores else meta
