"""The one exception that users see, and the phrase that points to the nearest right word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_LISTED = 20


class InputError(Exception):
    """Something in the user's data, paths or options is wrong.

    The message names the file, the line or id, the value and the way out. Commands print it without a traceback and exit 1.
    """


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the entry of `known` that `word` most likely meant (case is ignored), or None."""
    folded = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    return folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'X'?`, and all of `known` where they are few, to be appended to an error message."""
    names = sorted(set(known))
    hint = nearest(word, names)
    listed = f" Known: {', '.join(names) or '(none)'}" if len(names) <= MAX_LISTED else ""
    return (f"; did you mean {hint!r}?" if hint else ";" if listed else "") + listed


def first_line(error: Exception) -> str:
    """Return the first line of what an error of a library says, or its name if that is nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def require(condition: bool, message: str) -> None:
    """Raise an InputError unless `condition` holds."""
    if not condition:
        raise InputError(message)
