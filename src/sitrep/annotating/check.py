"""The data doctor: what is wrong with labels, where, and how to mend it. Two passes, the texts streamed in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitrep.annotate_config import CheckConfig, reading_options
from sitrep.annotating.declaring import write_data_config
from sitrep.annotating.lists import check_apart
from sitrep.annotating.mending import LOST, changes_path, files_of_copy, write_copy, writing_changes
from sitrep.annotating.tally import Tally, is_json_report, tallying
from sitrep.articles import Article
from sitrep.checks import check_subject
from sitrep.config import DataConfig
from sitrep.corpus import check_files
from sitrep.errors import InputError
from sitrep.facts import Facts
from sitrep.findings import ERROR, NOTE, RULES, WARNING, Finding
from sitrep.formats import read_articles
from sitrep.formats.faults import Fault, Losses
from sitrep.formats.files import DEFAULT_ID_FIELD, DEFAULT_TEXT_FIELD, RowError
from sitrep.labels import ENTITIES
from sitrep.repairs import LEFT_OFF, RESTATED, Change, repair
from sitrep.reports.check import is_check_report, write_check_report
from sitrep.splits import known_splits, read_splits, splits_path
from sitrep.subjects import Subject
from sitrep.terminal import console, findings_table, say

FAILING = {"error": (ERROR,), "warning": (ERROR, WARNING), "never": ()}


@dataclass(frozen=True)
class Reading:
    """What is read, and what may stand in it."""

    path: str
    options: Mapping[str, Any]
    declared: Mapping[str, Sequence[str]]
    dropped: Sequence[str] = ()
    splits: Mapping[str, str] | None = None
    data: DataConfig | None = None

    def articles(self, reject: Callable[[RowError], None], lose: Losses) -> Iterator[tuple[Article, list[Fault]]]:
        """Yield each article with the marks that do not fit it."""
        faults: list[Fault] = []
        for article in read_articles(self.path, report=faults.append, reject=reject, lose=lose, **self.options):
            yield article, [fault for fault in faults if fault.article_id == article.id]
            faults.clear()

    def split_of(self, article: Article) -> str | None:
        """Return the split of an article."""
        if self.splits is not None:
            return self.splits.get(article.id)
        assert self.data is not None
        try:
            return known_splits([article], self.data)[article.id]
        except InputError:  # the file is named after no split
            return None

    @property
    def has_splits(self) -> bool:
        """Say whether the articles are split."""
        return self.splits is not None or (self.data is not None and self.data.split_by == "file")


def check(config: CheckConfig) -> int:
    """Look for what is wrong with labels, report it, and write a repaired copy if one is wanted; return 1 where it fails `fail_on`."""
    reading = _reading(config)
    _check_outputs(config, reading)
    facts = Facts(reading.declared, reading.split_of if reading.has_splits else None)
    for article, faults in reading.articles(lambda error: None, Losses()):
        facts.add(Subject(article, faults, reading.declared))
    report = Path(config.report) if config.report else None
    about: dict[str, Any] = {
        "path": reading.path,
        "n_articles": len(facts.entries),
        "n_marks": facts.n_marks,
        "n_characters": facts.n_characters,
    }
    changes = Counter[str]()
    with tallying(report, about) as tally:
        _second_pass(config, reading, facts, tally, changes)
    if report:
        write_check_report(report, about, tally.sorted_rows())
    if config.data_yaml:
        write_data_config(Path(config.data_yaml), reading.path, reading.options, facts)
    _print(config, reading, about, tally, changes)
    return int(tally.has(*FAILING[config.fail_on]))


def _reading(config: CheckConfig) -> Reading:
    if config.data is None:
        if config.input == "-":
            raise InputError("input=-: what is checked is read twice, and standard input only once; save it to a file")
        return Reading(str(config.input), reading_options(config), {ENTITIES: config.labels} if config.labels is not None else {})
    data = config.data
    for key, default in (("text_field", DEFAULT_TEXT_FIELD), ("id_field", DEFAULT_ID_FIELD)):
        if (value := getattr(config, key)) != default:
            raise InputError(f"{key}={value} goes with input=: the articles of a data config have their {default} under {default!r}")
    check_files(data)
    declared = {field: [*labels, *data.drop_labels] for field, labels in data.labels.items() if labels}
    path = None if data.split_by == "file" else splits_path(data)
    splits = read_splits(path) if path and path.exists() else None
    return Reading(data.path, {"format": data.format, "text_dir": data.text_dir}, declared, data.drop_labels, splits, data)


def _check_outputs(config: CheckConfig, reading: Reading) -> None:
    """Demand that nothing is written over but an earlier report."""
    if config.data_yaml and (config.text_field, config.id_field, config.annotator) != (DEFAULT_TEXT_FIELD, DEFAULT_ID_FIELD, None):
        raise InputError(
            "data_yaml=: a data config has no text_field, id_field or annotator; write a copy with action=convert, and check that"
        )
    for key in ("output", "report", "data_yaml"):
        if (value := getattr(config, key)) and not Path(value).parent.is_dir():
            raise InputError(f"{key}={value}: there is no folder {Path(value).parent}; make it first")
    written = _written(config, reading)
    check_apart(written, reading.path)
    for option, path in written:
        if (path.exists() or path.is_symlink()) and not (option.startswith("report=") and _is_report(path)):
            raise InputError(f"{option}: {path} exists; it is not written over: choose another, or remove it")


def _written(config: CheckConfig, reading: Reading) -> list[tuple[str, Path]]:
    """Return each file that will be written, behind the option that names it."""
    written = []
    if config.report:
        written += [(f"report={config.report}", path) for path in (Path(config.report), Path(config.report).with_suffix(".json"))]
    if config.output:
        files = files_of_copy(Path(config.output), reading.path, reading.options["format"])
        written += [(f"output={config.output}", path) for path in files]
    if config.data_yaml:
        written.append((f"data_yaml={config.data_yaml}", Path(config.data_yaml)))
    return written


def _is_report(path: Path) -> bool:
    return path.is_file() and (is_json_report(path) if path.suffix == ".json" else is_check_report(path))


def _second_pass(config: CheckConfig, reading: Reading, facts: Facts, tally: Tally, changes: Counter[str]) -> None:
    if not config.fix:
        for _ in _examined(config, reading, facts, tally, lambda change: None):
            pass
        return
    with writing_changes(changes_path(Path(str(config.output))), changes) as note:
        write_copy(_examined(config, reading, facts, tally, note), Path(str(config.output)), reading.path, reading.options["format"], note)


def _examined(config: CheckConfig, reading: Reading, facts: Facts, tally: Tally, note: Callable[[Change], None]) -> Iterator[Article]:
    """Yield the articles, mended as `fix` says, while what is found goes to `tally`."""
    losses = Losses()

    def reject(error: RowError) -> None:
        tally.add(Finding("unreadable", ERROR, "", str(error.source), error.reason), None, -1)

    seen: set[str] = set()
    for position, (article, faults) in enumerate(reading.articles(reject, losses)):
        subject = Subject(article, faults, reading.declared)
        found = check_subject(subject)
        for finding in [*facts.found_at(position), *found, *facts.unusual_labels(subject)]:
            tally.add(finding, article, position)
        if reading.splits is not None:
            seen.add(article.id)
        if config.fix:
            mended, changed = repair(article, faults, found, config.fix)
            for change in changed:
                note(change)
            yield mended
        else:
            yield article
    for finding in facts.general(reading.path):
        if finding.label not in reading.dropped:
            tally.add(finding, None, -1)
    for article_id in sorted((reading.splits or {}).keys() - seen):
        assert reading.data is not None
        tally.add(Finding("no-article", ERROR, article_id, str(splits_path(reading.data)), "has a split, but is not in the data"), None, -1)
    for what, loss in losses.first.items():
        tally.add(
            Finding("not-read", NOTE, loss.article_id, reading.path, f"{what}, such as {loss.detail}", n=losses.counts[what]), None, -1
        )


def _print(config: CheckConfig, reading: Reading, about: Mapping[str, Any], tally: Tally, changes: Counter[str]) -> None:
    say(f"{reading.path}: {about['n_articles']:,} articles, {about['n_marks']:,} marks read, {about['n_characters']:,} characters")
    rows = tally.sorted_rows()
    if not rows:
        say("nothing is wrong that these rules would see")
    else:
        root = f"{reading.path.rstrip('/')}/" if Path(reading.path).is_dir() else ""
        console().print(
            findings_table((*group, row.n, row.n_articles, row.first.where.removeprefix(root), row.first.message) for group, row in rows)
        )
        for rule in dict.fromkeys(rule for (rule, _), _ in rows):
            say(f"{rule}: {RULES[rule].title}; {RULES[rule].advice}")
        for (rule, _), row in rows:
            if len(row.kinds) > 1:
                say(f"{rule}: " + ", ".join(f"{n:,} {kind}" for kind, n in row.kinds.most_common()))
    _print_next(config, tally, changes)


def _print_next(config: CheckConfig, tally: Tally, changes: Counter[str]) -> None:
    if config.report:
        say(f"all findings, with their text: {config.report}; as JSON: {Path(config.report).with_suffix('.json')}")
    elif tally.rows:
        say("to see each with its text: report=check.html")
    if config.fix:
        say(f"{config.output}: the repaired copy, {changes.total():,} changes, each a line of {config.output}.diff")
        if n := changes[LEFT_OFF]:
            say(f"{n:,} marks are not in the copy, since they fit no place in their text")
        if n := changes[RESTATED]:
            say(f"{n:,} marks whose stated text differs are restated as the text reads; look at them")
        if n := changes[LOST]:
            say(f"{n:,} times the format of the copy cannot hold what is there; .jsonl can")
        if n := sum(row.n for (rule, _), row in tally.rows.items() if rule == "unreadable"):
            say(f"{n:,} files or rows that cannot be read are not in the copy")
    elif tally.n_safe:
        say(f"{tally.n_safe:,} can be mended safely: fix=safe output=PATH writes a repaired copy, and every change beside it")
    if tally.n_offsets and config.fix != "offsets":
        say(f"{tally.n_offsets:,} offsets seem shifted, but that is a guess: look at some, then fix=offsets output=PATH moves them")
    if config.data_yaml:
        name = Path(config.data_yaml).stem
        say(f"{config.data_yaml}: a data config with the labels that were found; look through it, then train with data={name}")
