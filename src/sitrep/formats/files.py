"""What every format needs of a file: its whole text or its lines, decoded strictly, and errors that name file and line."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sitrep.articles import Source
from sitrep.errors import InputError


class RowError(InputError):
    """A file, or one row of it, that cannot be read; `source` says where, `reason` why and what to do."""

    def __init__(self, source: Source, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


Reject = Callable[[RowError], None]


def refuse(error: RowError) -> NoReturn:
    """The default `reject`: stop at the first row that cannot be read."""
    raise error


@dataclass(frozen=True, slots=True)
class Context:
    """What a reader is told beside the path.

    article_id: the id of an article whose file states none (the path below the folder read, without its ending)
    text_dir:   where brat looks for texts that do not stand beside their `.ann`
    reject:     called with each row that cannot be read; returns to go on, raises to stop
    """

    article_id: str
    text_dir: Path | None = None
    reject: Reject = refuse


def decode(data: bytes, path: Path, line: int = 1) -> str:
    """Return `data` as text.

    Raises:
        RowError: if it is not UTF-8, or holds NUL bytes as binary files do.
    """
    source = Source(str(path), line)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RowError(source, "the file is UTF-16, not UTF-8; convert it with: iconv -f UTF-16 -t UTF-8")
    if b"\0" in data:
        raise RowError(source, f"the file is binary (NUL byte at byte {data.index(0)}); expected UTF-8 text")
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise RowError(
            source,
            # error.object lacks the byte-order mark, if there was one
            f"not UTF-8: byte 0x{error.object[error.start]:02x} at byte {error.start + len(data) - len(error.object)}; "
            "convert the file, for instance with: iconv -f WINDOWS-1252 -t UTF-8",
        ) from error


def read_text(path: Path) -> str:
    """Return the text of a whole file with its line ends as they are; a byte-order mark is dropped."""
    return decode(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        RowError: if the operating system does not let us.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise RowError(Source(str(path)), f"cannot be read: {error.strerror}") from error


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (1-based line number, bytes without the line end) for each line of a file, as a stream."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield number, line.rstrip(b"\r\n")
    except OSError as error:
        raise RowError(Source(str(path)), f"cannot be read: {error.strerror}") from error


def check_sha256(path: Path, expected: str, upstream: str | None) -> None:
    """Demand that a file is there and is the one that was published.

    Raises:
        InputError: if it is missing or its SHA-256 is another; the message says where the file comes from.
    """
    origin = upstream or "where the data comes from"
    if not path.is_file():
        raise InputError(
            f"{path}: no such file, expected with SHA-256 {expected}; "
            f"fetch it from {origin}, and point data.path= to the folder that holds it"
        )
    found = hashlib.sha256(read_bytes(path)).hexdigest()
    if found != expected.lower():
        raise InputError(
            f"{path}: not the published file: its SHA-256 is {found}, expected {expected}; "
            f"fetch it again from {origin}, byte for byte; read files that were changed on purpose with data=own"
        )


@contextmanager
def replacing(path: Path):  # noqa: ANN201
    """Yield a temporary path beside `path` that takes its place when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        InputError: if it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}; the file was damaged or edited by hand") from error
