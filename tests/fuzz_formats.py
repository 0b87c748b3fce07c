"""Fuzz the readers of formats: `python tests/fuzz_formats.py SECONDS [READER ...]`, shared out among all readers (needs `atheris`).

Any bytes must end as articles that can be written again, or as rejects. What breaks that is printed with its bytes; test_formats_fuzz.py
keeps what was found, and does the same with Hypothesis.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import spacy
import zstandard
from spacy.tokens import DocBin, Span

MAX_CHARS = 2000


def parquet_bytes(**columns: list) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def docbin_bytes() -> bytes:
    nlp = spacy.blank("xx")
    doc = nlp("Rain in Gao.")
    doc.ents = [Span(doc, 2, 3, label="LOCATION")]
    doc.spans["sc"] = [Span(doc, 0, 3, label="X")]
    doc.cats = {"topics=x": 1.0, "y": 0.2}
    return DocBin(["ENT_IOB", "ENT_TYPE"], docs=[doc], store_user_data=True).to_bytes()


SOUND = {  # name of a file that the reader takes -> sound content
    "a.txt": "At Ségou. 🚁".encode(),
    "a.md": b"---\nid: a\ntitle: 'T'\nlabels: {topics: [bombing]}\n---\nIn [Gao](LOCATION), \\[sic\\].\n",
    "a.jsonl": b'{"text": "Gao", "spans": [{"start": 0, "end": 3, "label": "X"}], "labels": {"x": ["y"]}}\n{"text": "\\u0000"}\n',
    "a.csv": b'\xef\xbb\xbfid,text,n\n1,"In ""Gao"",\nMali",2\n2,Rain,\n',
    "a.tsv": b"id\ttext\n1\tRain\n",
    "a.html": b'<html><head><meta charset="latin-1"><title>T</title></head><body><p>Rain fell.</p></body></html>',
    "a.conll": b"Gao\tB-LOCATION\nfell\tO\n\nRain O\n",
    "a.ann": b"T1\tLOCATION 3 6\tGao\n",
    "documents.json": b'{"_id": "D1", "text": "In Gao.", "title": "T"}\n',
    "indicators.tsv": b'Rain\t0\t1\n"a\tb"\t1\t0\n',
    "a.parquet": parquet_bytes(id=["1", None], text=["Rain", "In Gao"], n=[[1.5], None], labels=[{"topics": ["x"]}, None]),
    "a.json": (
        b'[{"id": 1, "data": {"text": "In Gao \xf0\x9f\x9a\x81 \\u263a"}, "annotations": [{"completed_by": {"id": 1}, "result": [\n'
        b'{"type": "labels", "from_name": "l", "value": {"start": 3, "end": 6, "text": "Gao", "labels": ["X"]}},'
        b'{"type": "choices", "from_name": "t", "value": {"choices": ["x"]}}]}], "predictions": [{"result": []}]}]'
    ),
    "min.json": (
        b'[{"id": 1, "text": "In Gao.", "label": [{"start": 3, "end": 6, "text": "Gao", "labels": ["X"]}], "t": {"choices": ["x", "y"]},'
        b'"annotator": 1, "annotation_id": 2},\n{"id": 2, "text": "Rain", "t": "x", "annotator": "a@b"}]'
    ),
    "doccano.jsonl": (
        b'{"id": 1, "text": "\xf0\x9f\x9a\x81 Gao", "label": [[3, 6, "X"]], "cats": ["x"], "Comments": ["c"]}\n'
        b'{"text": "Gao", "entities": [{"label": "X", "start_offset": 0, "end_offset": 3}], "relations": [{"type": "r"}]}\n'
    ),
    "prodigy.jsonl": (
        b'{"text": "In Gao", "spans": [{"start": 3, "end": 6, "token_start": 1, "token_end": 1, "label": "X", "score": 0.5}], "tokens": '
        b'[{"text": "In", "start": 0, "end": 2, "id": 0, "ws": true}, {"text": "Gao", "start": 3, "end": 6, "id": 1, "ws": false}], '
        b'"accept": ["x"], "answer": "accept", "_input_hash": 1, "_annotator_id": "a", "meta": {"score": 0.5, "model": "m", "n": 1}}\n'
    ),
    "documents.conll": b'-DOCSTART-\t"a"\tO\n\nGao\tS-LOCATION\nfell\tO\n\nRain\tO\n-DOCSTART- O\n',
    "scored.ann": b"T1\tLOCATION 3 6\tGao\n#1\tAnnotatorNotes T1\tscore 0.9 m\nR1\tIn Arg1:T1 Arg2:T1\nT2\tX 0 2;3 6\tIn Gao\n",
    "ours.parquet": parquet_bytes(
        id=["1"],
        text=["Rain"],
        spans=[[{"start": 0, "end": 4, "label": "X"}]],
        topics=[["x"]],
        scores=['{"topics": {"x": 1}}'],
        extra=["{}"],
    ),
    "a.spacy": docbin_bytes(),
    "a.jsonl.gz": gzip.compress(b'{"text": "Rain"}\n' * 9),
    "a.jsonl.zst": zstandard.ZstdCompressor().compress(b'{"text": "Rain"}\n' * 9),
}
FORMAT = {"documents.json": "re3d", "indicators.tsv": "indicators", "doccano.jsonl": "doccano", "prodigy.jsonl": "prodigy"}
BESIDE = {
    "scored.ann": {"scored.txt": b"In Gao, Mali.", "scored.json": b'{"id": "x", "scores": {"topics": {"x": 1}}}'},
    "a.ann": {"a.txt": b"In Gao, Mali."},
    "documents.json": {"entities.json": b""},
}


def read_any(folder: Path, name: str, data: bytes) -> tuple[int, int]:
    """Read `data` as the file `name` in `folder`, and return the numbers of articles and rejects; whatever else happens is a bug."""
    from sitrep.formats import RowError, jsonl, read_articles

    for other, content in BESIDE.get(name, {}).items():
        (folder / other).write_bytes(content)
    (folder / name).write_bytes(data)
    rejected: list[RowError] = []
    n_articles = 0
    for article in read_articles(folder / name, format=FORMAT.get(name), max_chars=MAX_CHARS, reject=rejected.append):
        assert len(article.text) <= MAX_CHARS
        json.loads(jsonl.format_row(article).encode("utf-8"))
        n_articles += 1
    for error in rejected:
        assert error.reason and error.source.line > 0
        json.dumps([error.source.path, error.reason], ensure_ascii=False).encode("utf-8")
    return n_articles, len(rejected)


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Fuzz one reader until the time is over or a bug is found; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["sitrep.formats"]):
        import sitrep.formats  # noqa: F401

    def target(data: bytes) -> None:
        try:
            read_any(folder, name, data)
        except BaseException:
            print(f"found: ({name!r}, {data!r})", file=sys.stderr)
            raise

    (folder / "corpus").mkdir()
    (folder / "corpus" / "sound").write_bytes(SOUND[name])
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=60", f"-artifact_prefix={folder}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], target)
    atheris.Fuzz()


def main(seconds: int, names: list[str]) -> int:
    """Fuzz the readers one after the other, each in a process of its own; 1 if a bug was found."""
    n_failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", name, str(max(1, seconds // len(names))), folder]
            done = subprocess.run(command, check=False, capture_output=True)
        report = done.stderr.decode(errors="replace")
        executed = re.search(r"number_of_executed_units: (\d+)", report)
        print(f"{name}: {executed[1] if executed else 0} inputs, {'a bug' if done.returncode else 'sound'}", flush=True)
        if done.returncode:
            print(report[-5000:], flush=True)
            n_failed += 1
    return 1 if n_failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    elif len(sys.argv) > 1 and sys.argv[1].isdigit() and set(sys.argv[2:]) <= SOUND.keys():
        sys.exit(main(int(sys.argv[1]), sys.argv[2:] or list(SOUND)))
    else:
        sys.exit(f"python {sys.argv[0]} SECONDS [READER ...], of: {', '.join(SOUND)}")
