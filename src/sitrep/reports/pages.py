"""One file a page: templates filled with everything escaped, one style sheet and one script inside, and nothing fetched.

A page names what may run and style it by SHA-256 (Content-Security-Policy), so that markup from an article could not, were it
ever to slip through.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitrep import __version__
from sitrep.errors import InputError
from sitrep.formats.files import replacing
from sitrep.loading import flatten
from sitrep.runs import Run
from sitrep.scoring import AVERAGES, RATIOS
from sitrep.terminal import RARE, RARE_NOTE, bounds, mean_and_deviation, percent, points

if TYPE_CHECKING:
    from jinja2 import Environment

SHOWN = ("name", "n_articles", "n_characters", "seconds", "data_sha256", "strict")


def write_page(path: Path, template: str, **content: Any) -> Path:
    """Write `path`, whole or not at all: `template` filled with `content`."""
    style, script = (_asset(name) for name in ("style.css", "page.js"))
    policy = f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; base-uri 'none'; form-action 'none'"
    page = _environment().get_template(template).render(style=style, script=script, policy=policy, version=__version__, **content)
    write_text(path, page)
    return path


def write_text(path: Path, text: str) -> None:
    """Write UTF-8; half a surrogate pair, which UTF-8 has no bytes for, as a character reference."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "xmlcharrefreplace"))


def fill(template: str, **content: Any) -> str:
    """Return a text template (Markdown) filled with `content`, which must come escaped."""
    return _environment().get_template(template).render(**content)


def check_scores(run: Run, name: str) -> dict[str, Any]:
    """Return the scores of one evaluation.

    Raises:
        InputError: as `Run.metrics`, or if a key that every page shows is missing.
    """
    metrics = run.metrics(name)
    strict = metrics.get("strict") or {}
    missing = [key for key in SHOWN if key not in metrics]
    missing += [f"strict.{part}.{key}" for part in AVERAGES for key in RATIOS if key not in strict.get(part, {})]
    if "per_label" not in strict:
        missing.append("strict.per_label")
    if missing:
        raise InputError(f"{run.metrics_path(name)}: holds no {', '.join(missing)}; the file was damaged or edited by hand; evaluate again")
    return metrics


def rows_of(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return the leaves of a nested mapping as rows of dotted key and value."""
    return [(prefix + key, show(value)) for key, value in flatten(tree).items()]


def show(value: Any) -> str:
    """Return a value of a config as its YAML would have it, lists in one line."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(show(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def share_out(sizes: Sequence[int], total: int) -> list[int]:
    """Return how many of each of several sets are shown, `total` in all: what small ones leave goes to the others."""
    shares, left = [0] * len(sizes), total
    for n_done, index in enumerate(sorted(range(len(sizes)), key=lambda index: sizes[index])):
        shares[index] = min(sizes[index], left // (len(sizes) - n_done))
        left -= shares[index]
    return shares


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  (commands start without it)

    environment = Environment(
        loader=PackageLoader("sitrep.reports"),
        autoescape=lambda name: name is None or not name.endswith(".md"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, bounds=bounds, points=points, mean_and_deviation=mean_and_deviation, probability=_probability
    )
    environment.globals.update(RARE=RARE, RARE_NOTE=RARE_NOTE)
    return environment


def _probability(value: float | None) -> str:
    if value is None:
        return "n/a"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


@cache
def _asset(name: str) -> str:
    text = files("sitrep.reports").joinpath("templates", name).read_text(encoding="utf-8")
    assert not re.search("</(script|style)", text, re.IGNORECASE)
    return f"\n{text}"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
