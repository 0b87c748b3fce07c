"""Findings counted as they come: by rule and severity, the first of each kept for the table, some for the page, all written as JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sitrep.articles import Article
from sitrep.findings import RULES, SEVERITIES, Finding, row_of
from sitrep.formats.files import replacing

SCHEMA_VERSION = 1
OPENING = re.compile(rb'{"schema_version": \d+, "findings": \[')
MAX_SHOWN = 200  # findings of a rule on the page

Group = tuple[str, str]  # rule, severity


@dataclass
class Row:
    """What was found by one rule, of one severity."""

    first: Finding
    n: int = 0
    n_articles: int = 0
    last_article: int = -1
    kinds: Counter[str] = field(default_factory=Counter)
    shown: list[dict[str, Any]] = field(default_factory=list)
    n_findings: int = 0


class Tally:
    """Counts findings; `json` is an open file for their rows, or None."""

    def __init__(self, json_lines: IO[str] | None = None) -> None:
        self.rows: dict[Group, Row] = {}
        self.n_safe = self.n_offsets = 0  # repairs
        self._lines = json_lines
        self._n_written = 0

    def add(self, finding: Finding, article: Article | None, position: int) -> None:
        """Count a finding in the article at `position` (-1: in none)."""
        row = self.rows.setdefault((finding.rule, finding.severity), Row(finding))
        row.n += finding.n
        row.n_findings += 1
        if position >= 0 and row.last_article != position:
            row.n_articles += 1
            row.last_article = position
        if finding.kind:
            row.kinds[finding.kind] += finding.n
        if finding.repair:
            self.n_safe += finding.repair.safe
            self.n_offsets += finding.repair.is_offset and not finding.repair.safe
        if self._lines:
            shown = row_of(finding, article)
            if len(row.shown) < MAX_SHOWN:
                row.shown.append(shown)
            self._lines.write((",\n" if self._n_written else "\n") + json.dumps(shown, ensure_ascii=False))
            self._n_written += 1

    def sorted_rows(self) -> list[tuple[Group, Row]]:
        """Return the rows, errors first, in the order of the rules."""
        order = list(RULES)
        return sorted(self.rows.items(), key=lambda item: (SEVERITIES.index(item[0][1]), order.index(item[0][0])))

    def has(self, *severities: str) -> bool:
        """Say whether anything of these severities was found."""
        return any(severity in severities for _, severity in self.rows)

    def summary(self) -> list[dict[str, Any]]:
        """Return the counts as the JSON report holds them."""
        return [
            {"rule": rule, "severity": severity, "n": row.n, "n_articles": row.n_articles, "kinds": dict(row.kinds)}
            for (rule, severity), row in self.sorted_rows()
        ]


def is_json_report(path: Path) -> bool:
    """Say whether a file is the JSON report of a check."""
    with path.open("rb") as file:
        return OPENING.match(file.read(100)) is not None


@contextmanager
def tallying(report: Path | None, about: dict[str, Any]) -> Iterator[Tally]:
    """Yield a tally whose findings go to the JSON beside `report` as they come, then the counts and what else is said `about` the input."""
    if report is None:
        yield Tally()
        return
    with (
        replacing(report.with_suffix(".json")) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n", errors="backslashreplace") as lines,
    ):
        lines.write(f'{{"schema_version": {SCHEMA_VERSION}, "findings": [')
        tally = Tally(lines)
        yield tally
        lines.write(f'\n], "summary": {json.dumps(tally.summary(), ensure_ascii=False)}, ')
        lines.write(json.dumps(about, ensure_ascii=False)[1:] + "\n")
