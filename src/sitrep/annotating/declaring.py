"""A data config for articles of one's own, with the labels that were found in them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sitrep.facts import Facts
from sitrep.formats.files import replacing
from sitrep.labels import ENTITIES, TOP_LEVEL
from sitrep.loading import escape_references

FIELDS = (ENTITIES, *TOP_LEVEL)  # which the tasks that ship take their labels from


def write_data_config(path: Path, data_path: str, options: Mapping[str, Any], facts: Facts) -> None:
    """Write a YAML for configs/data: where the articles are, and their labels, the most frequent first."""
    labels = {ENTITIES: facts.labels, **facts.classes}
    declared = {
        field: sorted(labels.get(field, {}), key=lambda name: (-labels[field][name].total(), name))
        for field in (*FIELDS, *sorted(labels.keys() - set(FIELDS)))
    }
    lines = [
        *_comment(f"{len(facts.entries):,} articles, {facts.n_marks:,} marks. Made by: {_command(path, data_path, options)}"),
        *_comment(f"python train.py data={path.stem}"),
        *_entries({"name": path.stem, "path": data_path, "format": options["format"], "text_dir": options["text_dir"]}),
        "upstream: null",
        "sha256: {}",
        "labels: # what was found; take out what is misspelt: a label of the data that is not declared is an error",
        *(f"  {line}" for field, names in declared.items() for line in _entries({field: names})),
        "drop_labels: [] # labels of the data to leave out on purpose",
        *_split_place(path, data_path),
        "split_by: stratified # or date: the newest articles are test; or file: train.*, dev.* and test.* are the splits",
        "split_shares: {train: 0.65, dev: 0.15, test: 0.2}",
        "split_seed: 1",
        f"stratify_by: [{', '.join(field for field in FIELDS if declared[field])}]",
    ]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _comment(text: str) -> list[str]:
    return [f"# {' '.join(text.splitlines())}"]  # a path may hold line ends


def _command(path: Path, data_path: str, options: Mapping[str, Any]) -> str:
    given = {"input": data_path, **{name: options[name] for name in ("format", "text_dir") if options[name]}, "data_yaml": path}
    return " ".join(["python annotate.py action=check", *(shlex.quote(f"{key}={value}") for key, value in given.items())])


def _split_place(path: Path, data_path: str) -> list[str]:
    """Return the entry of the split: beside the data, or for a glob, which has no place of its own, beside the config."""
    if Path(data_path).exists():
        return ["splits_path: null # beside the data"]
    return _entries({"splits_path": str(path.with_suffix(".splits.csv"))})


def _entries(entries: Mapping[str, Any]) -> list[str]:
    return yaml.safe_dump(escape_references(entries), sort_keys=False, allow_unicode=True, width=10_000).splitlines()
