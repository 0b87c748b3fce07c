"""`check.html`: what the data doctor found, by rule, each mark in its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sitrep.findings import RULES
from sitrep.reports.pages import share_out, write_page

MAX_FINDINGS = 4000  # on one page; some 500 bytes each
MAX_CHARS = 160  # of a mark, on the page
KICKER = "sitrep · check"  # tells such a page from others


def write_check_report(path: Path, about: Mapping[str, Any], rows: Sequence[tuple[tuple[str, str], Any]]) -> Path:
    """Write the page of what a tally holds (annotating/tally.py) to `path`, which is returned.

    Of each rule the findings that the tally kept are shown, at most MAX_FINDINGS in all, shared out among the rules.
    """
    shares = share_out([len(row.shown) for _, row in rows], MAX_FINDINGS)
    sections = [
        {
            "key": f"{rule}-{severity}",
            "rule": rule,
            "severity": severity,
            "title": RULES[rule].title,
            "advice": RULES[rule].advice,
            "n": row.n,
            "n_articles": row.n_articles,
            "n_findings": row.n_findings,
            "kinds": row.kinds.most_common() if len(row.kinds) > 1 else [],
            "findings": [_shown(finding) for finding in row.shown[:most]],
        }
        for ((rule, severity), row), most in zip(rows, shares, strict=True)
    ]
    names = {"kicker": KICKER, "title": f"check of {about['path']}", "json_name": path.with_suffix(".json").name}
    return write_page(path, "check.html", about=about, sections=sections, **names)


def is_check_report(path: Path) -> bool:
    """Say whether a file is such a page."""
    return KICKER.encode() in path.read_bytes()


def _shown(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the JSON report as the page shows it."""
    text = finding.get("text", "")
    repair = finding.get("repair")
    return {
        "id": finding["id"],
        "where": finding["where"],
        "message": finding["message"],
        "label": finding.get("label"),
        "before": finding.get("before", ""),
        "text": text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…",
        "after": finding.get("after", ""),
        "repair": _said(repair) if repair else "",
    }


def _said(repair: Mapping[str, Any]) -> str:
    change = f"[{repair['start']}, {repair['end']})" if repair["action"] == "move" else "remove"
    return f"{change}, {'safe' if repair['safe'] else 'a guess'}"
