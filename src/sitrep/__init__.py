"""sitrep: named entities, topics and region of articles on armed conflict, from hand labels to a model that reads the rest."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sitrep.articles import Article, Span
    from sitrep.library import ArticleReader, load

__all__ = ["Article", "ArticleReader", "Span", "load"]
__version__ = "0.1.0"

_ROOMS = {"Article": "articles", "Span": "articles", "ArticleReader": "library", "load": "library"}


def __getattr__(name: str) -> Any:
    """Import what programs use when they use it: the commands import the package and must answer at once."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'sitrep' has no attribute {name!r}")
    return getattr(importlib.import_module(f"sitrep.{_ROOMS[name]}"), name)
