"""The files that an action leaves: refused before the work, not after it."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from sitrep.errors import InputError


def check_new(output: str, endings: Sequence[str], *, overwrite: bool) -> Path:
    """Return the path of a file that may be written.

    Raises:
        InputError: if its ending is none of `endings`, it is there and may not be replaced, or its folder cannot be written.
    """
    path = Path(output)
    if path.suffix not in endings:
        raise InputError(f"output={output}: the ending says the format; choose {' or '.join(endings)}")
    if path.is_dir():
        raise InputError(f"output={output}: is a folder; name a file")
    if path.exists() and not overwrite:
        raise InputError(f"output={output}: is there already; choose another name, or replace it with overwrite=true")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output={output}: {error.strerror}; name a file in a folder that can be written") from error
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"output={output}: Permission denied; name a file in a folder that can be written")
    return path


def check_apart(written: Sequence[tuple[str, Path]], *sources: str) -> None:
    """Demand that the files to be written are different ones, and none that is read, now or by the same command the next time.

    written: each with the option that brings it about, such as `("output=x.jsonl", Path("x.jsonl.diff"))`
    sources: the files, folders and globs that are read

    Raises:
        InputError: for the first that is not.
    """
    taken: dict[Path, str] = {}
    for option, path in written:
        real, what = path.resolve(), option if option.endswith(f"={path}") else f"{option}: {path}"
        if real in taken:
            raise InputError(f"{what}: is written by {taken[real]} too; choose another name for one of them")
        for source in sources:
            if real == Path(source).resolve():
                raise InputError(f"{what}: is what is read; choose another name")
            if _is_read(real, source):
                raise InputError(f"{what}: lies in what is read; choose a place outside {source}")
        taken[real] = option


def _is_read(path: Path, source: str) -> bool:
    """Say whether a path, which need not exist, is among those that a file, folder or glob stands for."""
    given = Path(source)
    if given.exists() or not glob.has_magic(source):
        return path.is_relative_to(given.resolve())
    parts = given.parts
    n_fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    root, patterns = Path(*parts[:n_fixed]).resolve(), parts[n_fixed:]
    if not path.is_relative_to(root):
        return False
    names = path.relative_to(root).parts
    if "**" in patterns:
        return patterns[-1] == "**" or fnmatch.fnmatchcase(path.name, patterns[-1])
    return len(names) == len(patterns) and all(map(fnmatch.fnmatchcase, names, patterns))
