"""The files that a path stands for: folders read to the bottom, each once, whatever links point where.

- A linked file is a file of its own, under the name of the link.
- A linked folder is read where the link stands, unless it lies in the folder that is read, and so comes under its own name, or was read
  under another link. A link to a folder that holds the one read is left out with a warning.
"""

from __future__ import annotations

import fnmatch
import glob
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sitrep.articles import Source
from sitrep.errors import InputError
from sitrep.formats.files import Reject, RowError, printable

log = logging.getLogger(__name__)


class Excluded:
    """What must not be read as input: outputs, and what stands beside them as `<output>.*` or `.<output>.*`."""

    def __init__(self, outputs: Sequence[str | Path]) -> None:
        self._real = tuple(str(Path(output).parent.resolve() / Path(output).name) for output in outputs)
        self._begins = tuple(str(Path(path).with_name(f"{mark}{Path(path).name}.")) for path in self._real for mark in ("", "."))

    def holds(self, folder: Path, name: str) -> bool:
        """Say whether the file or folder `name` in `folder`, a path without links, is excluded."""
        path = str(folder / name)
        return path in self._real or path.startswith(self._begins)


def expand(path: Path, excluded: Excluded, reject: Reject) -> tuple[list[str], Path]:
    """Return the files of a folder or glob in the order of their paths, and the folder that their ids count from.

    Raises:
        InputError: if nothing is there.
    """
    if path.is_dir():
        return [file for file in walk(path, excluded, reject) if not _is_readme(file)], path
    parts = path.parts
    n_fixed = next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    root = Path(*parts[:n_fixed])
    if "**" in parts and root.is_dir():  # Python's own goes round in loops of links
        found = [file for file in walk(root, excluded, reject) if _matches(Path(file).relative_to(root).parts, parts[n_fixed:])]
    else:
        matches = (Path(match) for match in glob.glob(str(path)))
        found = [str(match) for match in matches if not match.is_dir() and not excluded.holds(match.parent.resolve(), match.name)]
    if not found:
        raise InputError(f"{path}: no such file, folder or glob match")
    return sorted(found), root


def _is_readme(path: str) -> bool:
    return Path(path).name.upper().startswith("README.")


def _matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Say whether the parts of a path are those of a glob, in which `**` stands for any number of folders."""
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return patterns == ("**",) or any(_matches(parts[index:], patterns[1:]) for index in range(len(parts)))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def walk(top: Path, excluded: Excluded, reject: Reject) -> Iterator[str]:
    """Yield the files below `top` that are not hidden, in the order of their paths; a folder that cannot be read is rejected."""
    real_top = top.resolve()
    seen: set[tuple[int, int]] = set()  # device and inode of the folders that were read
    stack: list[tuple[str, Path | None]] = [(str(top), real_top)]
    while stack:
        path, folder = stack.pop()
        if folder is None:
            yield path
            continue
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                found = sorted((entry.name, entry.path, _is_folder(entry), entry.is_symlink()) for entry in entries)
        except OSError as error:
            reject(RowError(Source(printable(path)), f"the folder cannot be read: {error.strerror}"))
            continue
        inside: list[tuple[str, Path | None]] = []
        for name, inner, is_folder, is_link in found:
            if name.startswith(".") or excluded.holds(folder, name):
                continue
            if not is_folder:
                inside.append((str(Path(inner)), None))
            elif not is_link:
                inside.append((inner, folder / name))
            elif target := _follow(inner, real_top):
                inside.append((inner, target))
        stack += reversed(inside)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _follow(link: str, top: Path) -> Path | None:
    """Return where a link to a folder leads, or None if it is not to be followed."""
    target = Path(link).resolve()
    if target.is_relative_to(top) and not any(part.startswith(".") for part in target.relative_to(top).parts):
        return None  # it is read under its own name
    if top.is_relative_to(target):
        log.warning("%s: a link to a folder that holds %s is not followed", link, top)
        return None
    return target
