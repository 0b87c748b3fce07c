"""Bytes of a file or of standard input as a stream, unpacked by ending (`.gz`, `.zst`), whatever format they hold.

Memory is bounded by the buffers, not by the file.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EIO
from pathlib import Path, PurePath
from typing import BinaryIO

STDIN = Path("<stdin>")  # this very object stands for standard input; a file may bear the name
CHUNK = 1 << 18  # bytes
ZSTD_PIECE = 1 << 8  # packed bytes at a time: each may unpack to 30,000


def split_name(path: str | PurePath) -> tuple[str, str, str]:
    """Return what is left of a path without its endings, the ending that tells the format, and the packing, as in `.txt`, `.gz`."""
    pure = PurePath(path)
    packing = pure.suffix.lower() if pure.suffix.lower() in PACKINGS else ""
    inner = pure.with_suffix("") if packing else pure
    return (inner.with_suffix("") if inner.name else inner).as_posix(), inner.suffix.lower(), packing


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Yield the unpacked bytes of a file, or of standard input.

    Raises:
        OSError: with `strerror`, if it cannot be opened or read, or what is packed is broken; the bytes before the break come first.
    """
    if path is STDIN:
        yield sys.stdin.buffer
        return
    unpack = PACKINGS.get(path.suffix.lower())
    with path.open("rb") as packed:
        if unpack is None:
            yield packed
        else:
            with io.BufferedReader(_Unpacked(unpack(packed), path.suffix.lower()), CHUNK) as stream:
                yield stream  # type: ignore[misc]


class _Unpacked(io.RawIOBase):
    """What an iterator of chunks yields, as a stream; faults of the packing come as OSError that says where."""

    def __init__(self, chunks: Iterator[bytes], packing: str) -> None:
        self._chunks = chunks
        self._packing = packing
        self._rest = memoryview(b"")
        self._n_unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(self._next())
            self._n_unpacked += len(self._rest)
        n_bytes = min(len(buffer), len(self._rest))
        buffer[:n_bytes] = self._rest[:n_bytes]
        self._rest = self._rest[n_bytes:]
        return n_bytes

    def _next(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except EOFError:
            fault = "it ends too early, cut off on the way"
        except (zlib.error, gzip.BadGzipFile, ValueError) as error:
            fault = str(error)
        raise OSError(
            EIO, f"the {self._packing} packing is broken behind {self._n_unpacked:,} bytes of content ({fault}); fetch the file again"
        )


def _gunzip(packed: BinaryIO) -> Iterator[bytes]:
    if not packed.peek(1):  # type: ignore[attr-defined]  # gzip takes nothing at all for the end of a file
        raise EOFError
    with gzip.GzipFile(fileobj=packed) as stream:
        while chunk := stream.read1(CHUNK):  # read() would lose what stands before a break
            yield chunk


def _unzstd(packed: BinaryIO) -> Iterator[bytes]:
    """Yield what is packed; zstandard's own reader does not tell a file that was cut off from a whole one."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    is_whole = False
    try:
        while data := packed.read(ZSTD_PIECE):
            while data:
                if is_whole:
                    frame, is_whole = decompressor.decompressobj(), False
                if chunk := frame.decompress(data):
                    yield chunk
                is_whole = frame.eof
                data = frame.unused_data if is_whole else b""
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    if not is_whole:
        raise EOFError


PACKINGS: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {".gz": _gunzip, ".zst": _unzstd}
