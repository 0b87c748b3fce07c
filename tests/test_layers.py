"""Which room may import which, and where the heavy libraries are: read from the source, nothing is imported."""

import ast
import subprocess
import sys

import pytest
from factories import ROOT

PACKAGE = ROOT / "src" / "sitrep"
FLOORS = (
    {"sitrep", "errors"},
    {"articles", "casing", "characters", "loading", "model_config", "predict_config", "processes", "provenance"},
    {"config", "sentences", "boundaries", "findings"},
    {"formats.streams", "formats.faults"},
    {"formats.files"},
    {"formats.listing", "formats.marks", "formats.tokens", "formats.writing", "formats.annotators", "formats.units"},
    {"formats.rows", "formats.prodigy_tokens", "formats.labelstudio_results", "formats.labelstudio_tasks"},
    {"formats.labelstudio_min"},
    {f"formats.{name}" for name in ("annotated", "brat", "columns", "conll", "docbin", "html", "indicators", "jsonl", "re3d", "text")}
    | {"formats.doccano", "formats.labelstudio", "formats.prodigy"},
    {"formats.spooling"},
    {"formats.parquet", "formats.tables"},
    {"formats.datasets"},
    {"formats", "labels", "matching", "mistakes", "intervals", "leaks"},
    {"ranking", "near_duplicates", "offsets", "repairs", "selection", "suspicion"},
    {"scoring", "splits", "subjects", "runs", "reliability"},
    {"finding", "folds", "terminal", "thresholds", "checks", "facts", "agreement"},
    {"corpus", "annotate_config", "growing", "storing", "annotating.lists"},
    {"windows", "lookup", "teachers", "calibration", "significance", "diagnosis", "unlabelled"},
    {f"annotating.{name}" for name in ("agreement", "convert", "counts", "importing", "split")},
    {"heads.base", "heads.chain", "heads.decoding", "sampling", "changes"},
    {"heads.tags", "heads.spans", "heads.mlm"},
    {"heads.classes"},
    {"heads"},
    {"models", "tfidf"},
    {"backends", "distillation"},
    {"prediction", "exporting"},
    {"training", "parity", "quantizing", "judging", "embeddings"},
    {"sharing", "timing"},
    {"choosing"},
    {"readers"},
    {"comparison", "evaluation", "joint", "shards", "outputs", "reports"},
    {"workers"},
    {"batch", "cluster", "library"},
    {"reports.marking", "reports.charts", "reports.pages"},
    {
        "reports.articles",
        "reports.comparison",
        "reports.card",
        "reports.check",
        "annotating.declaring",
        "annotating.mending",
        "annotating.tally",
    },
    {"reports.run", "annotating.check"},
    {"crossvalidation", "predicting"},
    {"learning"},
    {"annotating.judges", "annotating.next"},
    {"annotating.suspects"},
    {"annotating"},
    {"jobs"},
    {"shell"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "sklearn",
    "skops",
    "onnx",
    "onnxruntime",
    "ray",
    "pyarrow",
    "spacy",
    "trafilatura",
    "zstandard",
}
STARRED = {
    "casing",
    "windows",
    "heads",
    "heads.base",
    "heads.chain",
    "heads.tags",
    "heads.spans",
    "heads.classes",
    "heads.mlm",
    "backends",
    "exporting",
    "quantizing",
    "parity",
    "timing",
    "choosing",
    "distillation",
    "models",
    "sharing",
    "prediction",
    "judging",
    "embeddings",
    "training",
    "tfidf",
}


def room_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "sitrep"


ROOMS = {room_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def imported(nodes):
    """Return the full names of what import statements among `nodes` import."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_among(names):
    """Return the rooms that `names` (of modules, or of what is in them) belong to."""
    inside = [name.removeprefix("sitrep.") for name in names if name.startswith("sitrep.")]
    return {name if name in ROOMS else name.rpartition(".")[0] or "sitrep" for name in inside}


def at_module_level(node):
    """Yield the statements that run when a module is imported: not those in functions, not those for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_module_level(child)


def test_every_room_has_a_floor_and_every_floor_its_rooms():
    assert ROOMS.keys() == FLOOR.keys()


@pytest.mark.parametrize("room", sorted(ROOMS.keys() - {"sitrep"}))  # which offers what programs use, and imports it when it is used
def test_a_room_imports_only_from_floors_below(room):
    above = {other for other in rooms_among(imported(ast.walk(ROOMS[room]))) if FLOOR[other] >= FLOOR[room]}
    assert not above


def test_heavy_libraries_are_imported_by_starred_rooms_only():
    heavy = {room for room, tree in ROOMS.items() if HEAVY & {name.partition(".")[0] for name in imported(at_module_level(tree))}}
    assert heavy == STARRED - {"heads", "prediction", "judging"}  # which import rooms that do


@pytest.mark.parametrize("room", sorted(ROOMS.keys() - STARRED))
def test_other_rooms_import_starred_ones_inside_functions_only(room):
    assert not rooms_among(imported(at_module_level(ROOMS[room]))) & STARRED


def test_commands_start_without_heavy_libraries():
    code = f"import sys, sitrep, sitrep.jobs; print(sorted({HEAVY!r} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
