"""HTML pages: trafilatura extracts the article from menus and markup, and offsets count its text.

The page's own title, date and address go into `extra` where it states them. It is decoded as it declares; without a declaration it must
be UTF-8.
"""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source
from sitrep.formats.files import Context, RowError, decode, read_bytes

DECLARATION = re.compile(rb"""<meta[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE)
DECLARED_WITHIN = 4096  # bytes
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ENCODINGS = re.compile(r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-\w|mac-\w+|gb\w+|big5\w*|euc_\w+|shift_jis\w*|iso2022_\w+|tis-620|johab|hz")
WIDER = {  # what browsers take for what a page declares
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949",
}  # fmt: skip
FIELDS = ("title", "date", "url")
DATES = {"original_date": True, "extensive_search": False, "max_date": "2100-01-01"}  # stated, not guessed; the same on every day
log = logging.getLogger("trafilatura")


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the one article of a page; its id is the path below the folder read, without the endings."""
    source = Source(str(path))
    page = decode_page(read_bytes(path, context.max_row_bytes(per_char=4), context), path)
    text, fields = extract(page, source)
    yield Article(context.article_id, text, extra=fields, source=source)


def decode_page(data: bytes, path: Path) -> str:
    """Return the bytes of a page as text, by its byte-order mark, its declaration, or as UTF-8.

    Raises:
        RowError: if it is not in that encoding, or declares one that is unknown.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return _decode(data, encoding, path)
    match = DECLARATION.search(COMMENT.sub(b"", data[:DECLARED_WITHIN]))
    declared = (match[1] or match[2]).decode("ascii", "replace") if match else ""
    if not declared or declared.lower() in ("utf-16", "utf-16le", "utf-16be"):  # which the declaration itself is not written in
        return decode(data, path)
    try:
        name = codecs.lookup(declared).name
    except (LookupError, ValueError):
        name = ""
    if not ENCODINGS.fullmatch(name):
        raise RowError(Source(str(path)), f"the page declares the encoding {declared!r}, which is unknown; convert it to UTF-8")
    if name == "utf-8" or b"\0" in data:
        return decode(data, path)
    try:
        return _decode(data, WIDER.get(name, name), path)
    except RowError:
        if name == "iso8859-1":  # five bytes that Windows leaves open
            return data.decode("latin-1")
        raise


def _decode(data: bytes, encoding: str, path: Path) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise RowError(
            Source(str(path)),
            f"not {encoding.removesuffix('-sig').upper()}, which the page declares: byte 0x{byte:02x} at byte {error.start}; "
            "mend its declaration, or convert it to UTF-8",
        ) from error


def extract(page: str, source: Source) -> tuple[str, dict[str, Any]]:
    """Return the article of a page, and its title, date and address where the page states them.

    Raises:
        RowError: if nothing can be extracted.
    """
    import trafilatura

    log.setLevel(logging.CRITICAL)  # its warnings name no file; what it cannot read is rejected below
    if "<html" not in page.lower():
        page = f"<html><body>{page}</body></html>"  # it takes a fragment for something else than HTML
    try:
        found: Any = trafilatura.bare_extraction(page, include_comments=False, with_metadata=True, date_extraction_params=dict(DATES))
    except Exception as error:  # whatever a page may do to a parser
        raise RowError(source, f"trafilatura failed on the page: {type(error).__name__}: {error}; save its text as .txt") from error
    text = (found.text or "").strip() if found else ""
    if not text:
        raise RowError(source, "no article text was found in the page (by trafilatura); save its text as .txt, if it holds one")
    return text, {name: getattr(found, name) for name in FIELDS if getattr(found, name)}
