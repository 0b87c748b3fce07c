"""How far two annotators agree, printed, and where they do not, as a list."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from sitrep.agreement import disagreements, measure, pair_up
from sitrep.annotate_config import AgreementConfig
from sitrep.annotating.lists import check_apart, check_new
from sitrep.formats import read_articles
from sitrep.formats.files import replacing
from sitrep.terminal import agreement_table, console, say


def agreement(config: AgreementConfig) -> int:
    """Compare the articles of `config.a` and `config.b`."""
    output = Path(config.output) if config.output else None
    if output:
        check_apart([(f"output={output}", output)], config.a, config.b)
        check_new(str(output), (".jsonl",), overwrite=config.overwrite)
    options = {"format": config.format, "text_dir": config.text_dir}
    pairs = pair_up(
        read_articles(config.a, annotator=config.annotator_a, **options),  # type: ignore[arg-type]
        read_articles(config.b, annotator=config.annotator_b, **options),  # type: ignore[arg-type]
    )
    measured = measure(pairs)
    rows = list(disagreements(pairs, measured["fields"]))
    _print(config, measured, Counter(row["kind"] for row in rows))
    if output:
        with replacing(output) as temporary:
            temporary.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        say(f"{output}: {len(rows):,} disagreements, one a line")
    elif rows:
        say("to list them: output=PATH.jsonl")
    return 0


def _print(config: AgreementConfig, measured: dict[str, Any], kinds: Counter[str]) -> None:
    named = [f"{side}: {path}{f' ({annotator})' if annotator else ''}" for side, path, annotator in (
        ("a", config.a, config.annotator_a), ("b", config.b, config.annotator_b))]  # fmt: skip
    say("\n".join(named))
    for side in ("a", "b"):
        if only := measured[f"only_{side}"]:
            say(
                f"{len(only):,} articles stand in {side} only and are not compared: {', '.join(only[:5])}{', ...' if len(only) > 5 else ''}"
            )
    console().print(agreement_table(measured))
    if n := measured["kappa"]["n_overlapping"]:
        say(f"kappa takes one label a word: {n:,} marks that overlap a longer one do not count there")
    listed = ", ".join(f"{n:,} {kind}" for kind, n in kinds.most_common())
    say(f"{kinds.total():,} disagreements: {listed}" if kinds else "no disagreement")
