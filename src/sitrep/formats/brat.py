"""brat stand-off: `name.ann` holds `T1<TAB>LABEL start end<TAB>surface` for the text in `name.txt`, in code points.

The text may also live elsewhere (a publisher's article that must not be copied): then `text_dir` is searched for it by name,
and by the SHA-256 that `name.json` states beside the `.ann`:
`{"text_sha256": "...", "labels": {"topics": [...], "region": [...]}}`. Every other key of `name.json` is kept.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sitrep.articles import Article, Source
from sitrep.formats.faults import Mark
from sitrep.formats.files import Context, RowError, decode, read_bytes, read_text
from sitrep.formats.marks import spans_of
from sitrep.formats.rows import parse_json

log = logging.getLogger(__name__)

ENTITY = re.compile(r"T\S*\t(?P<label>\S+) (?P<offsets>\d+ \d+(?:;\d+ \d+)*)\t(?P<surface>.*)", re.DOTALL)


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the one article of an `.ann` file."""
    meta = _read_meta(path.with_suffix(".json"))
    text = decode(_find_text(path, meta.pop("text_sha256", None), context.text_dir), path.with_suffix(".txt"))
    labels = {name: tuple(values) for name, values in meta.pop("labels", {}).items()}
    marks: list[Mark] = []
    others = Counter[str]()
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.startswith("T"):
            marks.append(_parse_entity(line.rstrip("\r"), text, Source(str(path), number)))
        elif line.strip():
            others[line[0]] += 1
    if others:
        log.warning("%s: %d lines are no entities and were not read (%s)", path, others.total(), dict(others))
    article_id = str(meta.pop("id", context.article_id))
    spans = spans_of(marks, article_id, text, context)
    yield Article(id=article_id, text=text, spans=spans, labels=labels, extra=meta, source=Source(str(path)))


def _read_meta(path: Path) -> dict:
    if not path.exists():
        return {}
    meta = parse_json(read_text(path), Source(str(path)))
    labels = meta.get("labels", {}) if isinstance(meta, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(values, list) for values in labels.values()):
        raise RowError(Source(str(path)), 'expected an object such as {"text_sha256": "...", "labels": {"topics": []}}')
    return meta


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


def _parse_entity(line: str, text: str, source: Source) -> Mark:
    match = ENTITY.fullmatch(line)
    if not match:
        raise RowError(source, f"expected 'T1<TAB>LABEL start end<TAB>surface', found {line!r}")
    if ";" in match["offsets"]:
        raise RowError(
            source,
            f"discontinuous mention {match['surface']!r} ({match['offsets']}): join its fragments in brat, sitrep reads whole mentions",
        )
    start, end = map(int, match["offsets"].split())
    covered = text[start:end]
    # brat writes a newline inside a mention as a space
    surface = covered if covered.replace("\n", " ") == match["surface"] else match["surface"]
    return Mark(start, end, match["label"], surface, source)
