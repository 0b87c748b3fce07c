"""File formats in and out. A format is a module with `read(path, context)` and, where it makes sense, `write(articles, path, target)`.

To add one, write the module and name it in `FORMATS` and, if its file ending belongs to it alone, in `ENDINGS`. A module whose
folders hold other files too says which are its own: `FILES`, patterns of file names. What opens through `formats.files` can be packed.
A module that writes a folder says how its files are called, `FOLDER_FILES`; one that writes files beside its own, how their names go on
behind that: `BESIDE`.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from sitrep.articles import Article, Source
from sitrep.errors import InputError, did_you_mean
from sitrep.formats import (
    annotated,
    brat,
    conll,
    datasets,
    docbin,
    doccano,
    html,
    indicators,
    jsonl,
    labelstudio,
    listing,
    parquet,
    prodigy,
    re3d,
    tables,
    text,
)
from sitrep.formats.faults import Lose, Losses, Report, Unlabelled
from sitrep.formats.files import (
    DEFAULT_ID_FIELD,
    DEFAULT_TEXT_FIELD,
    Context,
    Reject,
    RowError,
    printable,
    read_text,
    refuse,
    target_of,
    too_long,
)
from sitrep.formats.rows import keep_apart
from sitrep.formats.streams import STDIN, split_name
from sitrep.formats.writing import Target, as_input_error, check_replaceable, replacing_files, replacing_folder

__all__ = ["FORMATS", "RowError", "list_files", "read_articles", "write_articles"]

log = logging.getLogger(__name__)


class Format(Protocol):
    """What reads the articles of a file: a module, or an object."""

    def read(self, path: Path, context: Context) -> Iterator[Article]:
        """Yield the articles; a row that cannot be read goes to `context.reject`, for the whole file a RowError is raised."""


class _Markdown:
    """Annotated if it opens like that, else plain text."""

    def read(self, path: Path, context: Context) -> Iterator[Article]:
        raw = read_text(path, context)
        yield (
            annotated.parse(raw, path)
            if annotated.is_annotated(raw)
            else Article(context.article_id, raw, source=Source(str(path), is_text=True))
        )


FORMATS: dict[str, Format] = {
    "annotated": annotated, "brat": brat, "conll": conll, "csv": tables.CSV, "datasets": datasets, "doccano": doccano, "html": html,
    "indicators": indicators, "jsonl": jsonl, "labelstudio": labelstudio, "parquet": parquet, "prodigy": prodigy, "re3d": re3d,
    "spacy": docbin, "text": text, "tsv": tables.TSV,
}  # fmt: skip
ENDINGS: dict[str, Format] = {
    ".md": _Markdown(), ".txt": text, ".jsonl": jsonl, ".ann": brat, ".conll": conll, ".html": html, ".htm": html, ".csv": tables.CSV,
    ".tsv": tables.TSV, ".parquet": parquet, ".spacy": docbin, ".json": labelstudio,
}  # fmt: skip
NAMED_ONLY = (".json",)  # endings that much else bears: such files are read where they are themselves the input, not where they lie about
WITH_ANNOTATORS = (labelstudio, prodigy)  # formats that say who labelled
SIBLINGS = ("brat", "re3d")  # formats of several files that belong together


def read_articles(
    path: str | Path,
    *,
    format: str | None = None,
    text_dir: str | Path | None = None,
    text_field: str = DEFAULT_TEXT_FIELD,
    id_field: str = DEFAULT_ID_FIELD,
    max_chars: int | None = None,
    exclude: str | Path | Sequence[str | Path] = (),
    annotator: str | None = None,
    reject: Reject = refuse,
    report: Report | None = None,
    lose: Lose | None = None,
    unlabelled: Unlabelled | None = None,
) -> Iterator[Article]:
    """Yield the articles of a file, a folder (recursive), a glob or standard input, in the order of their paths, as a stream.

    Args:
        path: the file, folder or glob, or the string `-`; README.* and hidden files of a folder are skipped.
        format: a name in `FORMATS`; None chooses by file ending, and JSONL for standard input.
        text_dir: where brat looks for texts that do not stand beside their `.ann`.
        text_field: the key or column that holds the text of a row; in Label Studio, the key of `data`.
        id_field: the one that holds the id; rows need none unless another than `id` is named.
        max_chars: a longer text is rejected; None for no limit.
        exclude: an output, or several, not to be read as input, nor what stands beside them as `<output>.*`.
        annotator: whose labels are read where several people labelled one text.
        reject: called with each file or row that cannot be read; the default raises.
        report: called with each mark that does not fit its text, before its article comes; None: such a mark rejects its row.
        lose: called with what a file holds and an article cannot (relations, say), before that comes; None warns once a file.
        unlabelled: called with its id and why (of `faults`), before an article comes that no person labelled, where the format says so.

    Raises:
        InputError: if the path does not exist or holds no readable file.
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"format={format!r} is no format{did_you_mean(format, FORMATS)}")
    if path == "-" and format in SIBLINGS:
        raise InputError(f"format={format} reads several files that belong together; name their folder instead of standard input")
    excluded = [exclude] if isinstance(exclude, (str, Path)) else list(exclude)
    files, root = ([str(STDIN)], STDIN.parent) if path == "-" else _list(Path(path), format, excluded, reject)
    for name in files:
        file = STDIN if path == "-" else Path(name)
        article_id = "stdin" if path == "-" else split_name(file.relative_to(root))[0]
        lost = Losses()
        folder = Path(text_dir) if text_dir else None
        context = Context(article_id, folder, reject, text_field, id_field, max_chars, annotator, report, lose or lost, unlabelled)
        try:
            if file is not STDIN:
                _check_file(file, is_named=name == str(Path(path)))
            yield from _read(file, format, context)
        except RowError as error:
            reject(error)
        except InputError as error:
            reject(RowError(Source(str(file)), str(error)))
        if lost.counts:
            log.warning("%s: not read: %s, such as %s", file, lost, lost.kept[0].detail)


def write_articles(
    articles: Iterable[Article],
    path: str | Path,
    *,
    format: str | None = None,
    target: Target | None = None,
    overwrite: bool = False,
    check: Callable[[], None] | None = None,
) -> None:
    """Write articles to a file, or to a folder where the format makes a file an article; it appears when it is whole.

    Args:
        articles: those to write, in this order; ids may repeat.
        path: the file or folder.
        format: a name in `FORMATS` that is written; None chooses by the ending of `path`.
        target: where what the format cannot hold is reported, and whose labels these are; None reports it to nobody.
        overwrite: whether a file, or a folder of such files, that stands there is replaced.
        check: called when all is written, before it appears; if it raises, nothing does.

    Raises:
        InputError: if the format is not written, or `path`, or what stands beside it, may not be replaced or cannot be written.
    """
    path = Path(path)
    writer = _writer(path, format)
    own_files, beside = getattr(writer, "FOLDER_FILES", None), getattr(writer, "BESIDE", ())
    with as_input_error(path):
        check_replaceable(path, own_files, overwrite=overwrite)
        for ending in beside:
            check_replaceable(target_of(path).with_name(target_of(path).name + ending), None, overwrite=overwrite)
        rest = iter(articles)
        first = list(islice(rest, 1))  # what cannot be read leaves no folder behind
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(path) if own_files else replacing_files(path, beside) as temporary:
            writer.write(map(keep_apart, chain(first, rest)), temporary, target or Target())
            if check:
                check()


def _writer(path: Path, format: str | None) -> Any:
    written = {name: module for name, module in FORMATS.items() if hasattr(module, "write")}
    if format is not None:
        if format not in written:
            what = "is read, not written" if format in FORMATS else "is no format"
            raise InputError(f"to={format} {what}{did_you_mean(format, written)}")
        return written[format]
    by_ending = {ending: module for ending, module in ENDINGS.items() if module in written.values() and not hasattr(module, "FOLDER_FILES")}
    if path.suffix not in by_ending:
        raise InputError(
            f"{path}: the ending does not say what to write; known: {', '.join(by_ending)}. Or give to=, of: {', '.join(sorted(written))}"
        )
    return by_ending[path.suffix]


def _read(file: Path, format: str | None, context: Context) -> Iterator[Article]:
    reader = _reader(file, format)
    if context.annotator is not None and reader not in WITH_ANNOTATORS:
        raise RowError(Source(str(file)), f"annotator={context.annotator}: the format does not say who labelled; leave annotator= out")
    for article in reader.read(file, context):
        if context.max_chars is not None and len(article.text) > context.max_chars:
            source = article.source or Source(str(file))
            context.reject(too_long(source, f"{len(article.text):,} characters", context.max_chars))
        else:
            yield keep_apart(article)


def _reader(file: Path, format: str | None) -> Format:
    if format is not None:
        return FORMATS[format]
    if file is STDIN:
        return jsonl
    _, ending, packing = split_name(file)
    if ending not in ENDINGS:
        raise RowError(Source(str(file)), f"unknown file ending {ending or packing!r}; known: {', '.join(ENDINGS)} (or give format=)")
    return ENDINGS[ending]


def _check_file(file: Path, *, is_named: bool) -> None:
    """Demand a name that can be written, and of a file that was merely found that it is one: who opens a pipe waits."""
    try:
        str(file).encode()
    except UnicodeEncodeError as error:
        raise RowError(Source(printable(file)), "the file's name is not UTF-8; rename it") from error
    try:
        is_regular = stat.S_ISREG(file.stat().st_mode)
    except OSError as error:
        raise RowError(Source(str(file)), f"cannot be read: {error.strerror}") from error
    if not is_regular and not is_named:
        raise RowError(Source(str(file)), "is a pipe, socket or device; such a one is read only where it is itself the input")


def list_files(path: Path, format: str | None = None) -> list[Path]:
    """Return the files that `path` (file, folder or glob) stands for, sorted.

    A folder's files of unknown endings are left out with a warning that counts them, unless `format` says how to read them; then
    those are left out that are not among the format's own, if it names any.
    """
    return [Path(file) for file in _list(path, format, (), refuse)[0]]


def _list(path: Path, format: str | None, exclude: Sequence[str | Path], reject: Reject) -> tuple[list[str], Path]:
    """Return the files as strings, which a million of them may be, and the folder that their ids count from."""
    excluded = listing.Excluded(exclude)
    try:
        is_file = path.exists() and not path.is_dir()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if is_file:
        if excluded.holds(path.parent.resolve(), path.name):
            raise InputError(f"{path}: is the output, or belongs to it; choose another input or output")
        return [str(path)], path.parent
    found, root = listing.expand(path, excluded, reject)
    names = set(found)
    files = [file for file in found if not _is_split(file) and not _belongs_to_ann(file, names)]
    if format is None:
        read = ENDINGS.keys() - NAMED_ONLY
        unknown = [file for file in files if split_name(file)[1] not in read]
        if unknown:
            log.warning("%s: %d files of unknown ending are not read, such as %s", path, len(unknown), unknown[0])
        files = [file for file in files if split_name(file)[1] in read]
    own = getattr(FORMATS[format], "FILES", ()) if format else ()
    if own:
        files = [file for file in files if any(_unpacked(file).match(pattern) for pattern in own)]
    if not files:
        expected = f"format={format} reads {', '.join(own)}" if own else f"expected files ending in {', '.join(ENDINGS)} (or give format=)"
        raise InputError(f"{path}: holds no article; {expected}")
    return files, root


def _unpacked(file: str) -> Path:
    stem, ending, _ = split_name(file)
    return Path(stem + ending)


def _is_split(file: str) -> bool:
    """Say whether this is a split that was made of articles: `splits.csv` of a folder, `FILE.splits.csv`."""
    return Path(file).name == "splits.csv" or file.endswith(".splits.csv")


def _belongs_to_ann(file: str, names: set[str]) -> bool:
    """Say whether the brat reader of a sibling `.ann` reads this file, so that it is no article of its own."""
    return file.endswith((".txt", ".json")) and str(Path(file).with_suffix(".ann")) in names
