"""Marks, and places without one, ranked by how strongly independent models disagree with them."""

from __future__ import annotations

import csv
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sitrep.annotate_config import SuspectsConfig
from sitrep.annotating.judges import Judged, judges_of, train_judges
from sitrep.annotating.lists import check_new
from sitrep.articles import SCORE_DECIMALS, Article, Span
from sitrep.formats.files import replacing
from sitrep.readers import load_reader
from sitrep.runs import Run
from sitrep.sentences import Sentences
from sitrep.suspicion import LABEL, MISSING, NOTHING, Item, Unjudged, expected_confidence, rank, weigh
from sitrep.terminal import console, say, text_table, track

log = logging.getLogger(__name__)

FIELDS = (
    "rank", "id", "file", "line", "start", "end", "text", "label", "problem", "suggested_start", "suggested_end", "suggested_text",
    "suggested_label", "score", "p_given", "p_suggested", "n_models", "why", "sentence",
)  # fmt: skip
NOT_JUDGED = "not judged"


def suspects(config: SuspectsConfig) -> int:
    """Print the most suspect marks, and write all to `config.output`."""
    output = check_new(config.output, (".jsonl", ".csv"), overwrite=config.overwrite) if config.output else None
    judged = judges_of(config.run, config.input) if config.run else train_judges(config)
    items, unjudged = _weigh(judged, config.device)
    ranked, expected = rank(items), expected_confidence(items)
    rows = [_row(item, number, why(item, expected)) for number, item in enumerate(ranked, 1)]
    rows += [_unjudged_row(entry) for entry in unjudged]
    n_marks = sum(item.given is not None for item in items)
    shown = rows[: min(config.n, len(ranked))]
    title = f"the {len(shown)} most suspect of {n_marks} marks and {len(items) - n_marks} places without one"
    console().print(text_table(title, ("", "where", "marked", "why"), map(_cells, shown)))
    say(f"{len(judged.articles)} articles of {judged.origin} judged by {len(judged.runs)} models")
    if unjudged:
        reasons = ", ".join(f"{n} {reason}" for reason, n in Counter(entry.reason for entry in unjudged).items())
        where = "they stand at the end of the file" if output else "output= lists them"
        log.warning("%d marks do not fit the models' head and are not judged: %s; %s", len(unjudged), reasons, where)
    if output:
        _write(rows, output)
        say(f"all {len(rows)}, most suspect first: {output}")
    return 0


def _weigh(judged: Judged, device: str) -> tuple[list[Item], list[Unjudged]]:
    from sitrep.judging import read_opinions  # noqa: PLC0415

    judges_of: dict[str, tuple[Run, ...]] = defaultdict(tuple)
    for run, articles in judged.by_run:
        for article in articles:
            judges_of[article.id] += (run,)
    together: dict[tuple[Run, ...], list[Article]] = defaultdict(list)
    for article in judged.articles:
        together[judges_of[article.id]].append(article)
    weighed: dict[str, tuple[list[Item], list[Unjudged]]] = {}
    for runs, articles in together.items():  # models of the same articles read side by side: an opinion is weighed and forgotten
        readers: list[Any] = [load_reader(run, device) for run in runs]
        opinions = zip(*(read_opinions(reader, articles) for reader in readers), strict=True)
        for article, of_article in zip(articles, track(opinions, "judging", total=len(articles)), strict=True):
            weighed[article.id] = weigh(article, of_article, judged.task.labels)
    both = [weighed[article.id] for article in judged.articles]
    return [item for items, _ in both for item in items], [entry for _, unjudged in both for entry in unjudged]


def why(item: Item, expected: Mapping[str, float]) -> str:
    """Return in words what the models hold against a mark, or against there being none."""
    models = "the model" if item.n_models == 1 else f"{item.n_models} models"
    if item.given is None:
        assert item.suggested is not None
        return f"{models}: {item.suggested.label} {item.p_suggested:.2f}, nothing {item.p_given:.2f}"
    usual = f"{item.given.label} {item.p_given:.2f} (usually {expected[item.given.label]:.2f})"
    if item.suggested is None:
        return f"{models}: nothing {item.p_suggested:.2f}, {usual}"
    other = item.suggested.label if item.problem == LABEL else f"{item.suggested.label} {item.article.surface(item.suggested)!r}"
    return f"{models}: {other} {item.p_suggested:.2f}, {usual}"


def _row(item: Item, number: int, reason: str) -> dict[str, Any]:
    suggested = item.suggested
    return {
        "rank": number,
        **_place(item.article, item.place),
        "label": item.given.label if item.given else NOTHING,
        "problem": item.problem if item.problem in (MISSING, NOTHING) else f"wrong {item.problem}",
        "suggested_start": suggested.start if suggested else None,
        "suggested_end": suggested.end if suggested else None,
        "suggested_text": item.article.surface(suggested) if suggested else None,
        "suggested_label": suggested.label if suggested else NOTHING,
        **{name: round(getattr(item, name), SCORE_DECIMALS) for name in ("score", "p_given", "p_suggested")},
        "n_models": item.n_models,
        "why": reason,
        "sentence": Sentences(item.article.text).around(item.place),
    }


def _unjudged_row(entry: Unjudged) -> dict[str, Any]:
    known = {**_place(entry.article, entry.given), "label": entry.given.label, "problem": NOT_JUDGED, "why": entry.reason}
    return {**dict.fromkeys(FIELDS), **known, "sentence": Sentences(entry.article.text).around(entry.given)}


def _place(article: Article, span: Span) -> dict[str, Any]:
    source = article.source_of(span)
    return {
        "id": article.id, "file": source and source.path, "line": source and source.line, "start": span.start, "end": span.end,
        "text": article.surface(span),
    }  # fmt: skip


def _cells(row: dict[str, Any]) -> Iterator[str]:
    yield str(row["rank"])
    yield f"{Path(row['file']).name}:{row['line']}" if row["file"] else row["id"]
    yield f"{row['text']} [{row['label']}]"
    yield row["why"]


def _write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="" if path.suffix == ".csv" else "\n") as lines:
        if path.suffix == ".csv":
            table = csv.DictWriter(lines, FIELDS)
            table.writeheader()
            table.writerows(rows)
        else:
            lines.writelines(json.dumps({name: row[name] for name in FIELDS}, ensure_ascii=False) + "\n" for row in rows)
