"""Where several people labelled one text: whose labels an article gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sitrep.articles import Source
from sitrep.errors import did_you_mean
from sitrep.formats.faults import Loss
from sitrep.formats.files import Context, RowError

NOBODY = "(nobody named)"


@dataclass(frozen=True, slots=True)
class Version:
    """What one person made of one text.

    names:   what the person is called in the file, such as an email address and a number; the first is shown
    content: the labels as the file states them
    when:    a date, as a string that sorts, or nothing
    is_gold: the tool says that this one is right
    """

    names: tuple[str, ...]
    content: Any
    when: str = ""
    is_gold: bool = False


def check_annotator(context: Context, names: Iterable[str], source: Source) -> None:
    """Demand that `context.annotator`, if one is asked for, is among the names of those who labelled anything in the file."""
    known = sorted(set(names) - {NOBODY})
    if context.annotator is not None and context.annotator not in known:
        raise RowError(source, f"annotator={context.annotator!r} labelled nothing here{did_you_mean(context.annotator, known)}")


def choose(versions: Sequence[Version], article_id: str, source: Source, context: Context) -> Version | None:
    """Return the version that counts; the others go to `context.lose`.

    That is the one by `context.annotator`, or None if there is none; where nobody is asked for, the only one that the tool calls right,
    else the one of the only person. Of several by one person the last counts.

    Raises:
        RowError: if nobody is asked for and several people labelled the text.
    """
    own = [version for version in versions if context.annotator is None or context.annotator in version.names]
    gold = [version for version in own if version.is_gold]
    candidates = gold if len(gold) == 1 else own
    people = sorted({version.names[0] for version in candidates})
    if context.annotator is None and len(people) > 1:
        raise RowError(
            source,
            f"article {article_id!r} was labelled by {len(people)} people ({', '.join(people)}); annotator= says whose labels to read",
        )
    chosen = max(enumerate(candidates), key=lambda pair: (pair[1].when, pair[0]))[1] if candidates else None
    for version in versions:
        if version is not chosen:
            is_same = chosen is not None and version.names[0] == chosen.names[0]
            context.lose(Loss(article_id, "earlier annotations" if is_same else "annotations of others", f"by {version.names[0]}"))
    return chosen
