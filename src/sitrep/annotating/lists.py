"""The files that an action leaves: refused before the work, not after it."""

from __future__ import annotations

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
