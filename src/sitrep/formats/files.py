"""What every format needs of a file: its whole text or its lines, decoded strictly, and errors that name file and line."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from sitrep.articles import Source
from sitrep.errors import InputError
from sitrep.formats.faults import Lose, Losses, Report, Unlabelled
from sitrep.formats.streams import CHUNK, opened

DEFAULT_TEXT_FIELD, DEFAULT_ID_FIELD = "text", "id"
CONTINUATION = bytes(range(0x80, 0xC0))  # bytes of UTF-8 that begin no character
MIN_ROW_BYTES = 1 << 24  # so much of a row is held, however low `max_chars` is: most of it may be other fields
PACKED = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}  # how packed files begin, and no text in UTF-8


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

    article_id: the id of an article whose file states none (the path below the folder read, without its endings)
    text_dir:   where brat looks for texts that do not stand beside their `.ann`
    reject:     called with each row that cannot be read; returns to go on, raises to stop
    text_field, id_field: the keys or columns of rows that hold the text and the id
    max_chars:  the longest text, in characters, or None for no limit; a reader need not hold on to what is certainly longer
    annotator:  whose labels are read where several people labelled one text; None where the file must hold those of one
    report:     called with each mark that does not fit its text; None: that is an error
    lose:       called with what the file holds and an article cannot
    unlabelled: called before an article is yielded whose labels, if any, are not a person's, where the format says so
    """

    article_id: str
    text_dir: Path | None = None
    reject: Reject = refuse
    text_field: str = DEFAULT_TEXT_FIELD
    id_field: str = DEFAULT_ID_FIELD
    max_chars: int | None = None
    annotator: str | None = None
    report: Report | None = None
    lose: Lose = field(default_factory=Losses)
    unlabelled: Unlabelled | None = None

    def max_bytes(self) -> int | None:
        """Return how many bytes a text of `max_chars` characters has at most, with its byte-order mark; None for no limit."""
        return None if self.max_chars is None else 4 * self.max_chars + 3

    def max_row_bytes(self, per_char: int) -> int | None:
        """Return how many bytes of a row or page are held, markup and all; `per_char` is what a character of its text may take."""
        return None if self.max_chars is None else max(per_char * self.max_chars, MIN_ROW_BYTES)


def too_long(source: Source, length: str, max_chars: int | None) -> RowError:
    """Return the error for a text of `length`, a number with its unit."""
    return RowError(source, f"{length}, more than max_chars={max_chars} allows; give a higher max_chars=, or cut it into parts")


def decode(data: bytes, path: Path, line: int = 1) -> str:
    """Return `data` as text.

    Raises:
        RowError: if it is not UTF-8, or holds NUL bytes as binary files do.
    """
    source = Source(str(path), line)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RowError(source, "the file is UTF-16, not UTF-8; convert it with: iconv -f UTF-16 -t UTF-8")
    packing = next((packing for magic, packing in PACKED.items() if data.startswith(magic)), None)
    if packing:
        raise RowError(source, f"the content is packed; name the file so that it ends in {packing}")
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


def printable(path: str | Path) -> str:
    r"""Return a path with the bytes that are not UTF-8, which no output can hold, as `\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_text(path: Path, context: Context | None = None) -> str:
    """Return the text of a whole file with its line ends as they are; a byte-order mark is dropped."""
    return decode(read_bytes(path, context.max_bytes() if context else None, context), path)


def read_bytes(path: Path, limit: int | None = None, context: Context | None = None) -> bytes:
    """Return the bytes of a file, unpacked.

    Raises:
        RowError: if the operating system does not let us, or they are more than `limit`; then they are counted, not held.
    """
    chunks: list[bytes] = []
    n_bytes = n_chars = 0
    try:
        with opened(path) as stream:
            while chunk := stream.read(CHUNK):
                n_bytes += len(chunk)
                n_chars += 0 if limit is None else len(chunk.translate(None, CONTINUATION))
                chunks.append(chunk)
                if limit is not None and n_bytes > limit:
                    chunks.clear()
    except OSError as error:
        raise RowError(Source(str(path)), f"cannot be read: {error.strerror}") from error
    if limit is not None and n_bytes > limit:
        raise too_long(Source(str(path)), f"{n_chars:,} characters", context.max_chars if context else None)
    return b"".join(chunks)


def read_lines(path: Path, context: Context | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield (1-based line number, bytes without the line end) for each line of a file, as a stream.

    A line longer than the row of an article may be (`context.max_row_bytes`) is not held, but rejected.
    """
    limit = context.max_row_bytes(per_char=6) if context else None  # 6: a letter as `\u063a`
    number = 0
    try:
        with opened(path) as lines:
            while line := lines.readline(-1 if limit is None else limit + 1):
                number += 1
                if context is None or limit is None or len(line) <= limit or line.endswith(b"\n"):
                    yield number, line.rstrip(b"\r\n")
                else:
                    n_bytes = len(line) + sum(map(len, rest_of_line(lines)))
                    context.reject(too_long(Source(str(path), number), f"a row of {n_bytes:,} bytes", context.max_chars))
    except OSError as error:
        raise RowError(Source(str(path), number + 1), f"cannot be read: {error.strerror}") from error


def rest_of_line(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of the line that `stream` stands in, piece by piece."""
    while piece := stream.readline(CHUNK):
        yield piece
        if piece.endswith(b"\n"):
            return


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


def target_of(path: Path) -> Path:
    """Return what a link points to, for that is replaced and the link stays; any other path as it is."""
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError):  # a link that leads to itself
        return path


@contextmanager
def replacing(path: Path):  # noqa: ANN201
    """Yield a temporary path beside `path` that takes its place when the block ends without an error; of a link, that of its target."""
    path = target_of(path)
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
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8; the file was damaged or edited by hand") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}; the file was damaged or edited by hand") from error
