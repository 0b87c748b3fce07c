"""Packed files give what the plain file gives, as a stream; of a broken one comes what stands before the break."""

import gzip
import io
import json
import sys

import pytest
import spacy
import zstandard
from factories import refused, write_files
from spacy.tokens import DocBin

from sitrep.formats import FORMATS, read_articles
from sitrep.formats.streams import CHUNK, opened, split_name

PACK = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor(level=1).compress}
ROWS = b"".join(json.dumps({"id": str(n), "text": f"{n} left Gao, {n * n % 977} came"}).encode() + b"\n" for n in range(20_000))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("b/a.txt", ("b/a", ".txt", "")),
        ("b/a.TXT.GZ", ("b/a", ".txt", ".gz")),
        ("v1.2.jsonl.zst", ("v1.2", ".jsonl", ".zst")),
        ("a.gz", ("a", "", ".gz")),
        ("a", ("a", "", "")),
        (".gz", (".gz", "", "")),
    ],
)
def test_split_name(path, expected):
    assert split_name(path) == expected


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("content", [b"x", b"", ROWS], ids=["short", "empty", "long"])
def test_what_was_packed_comes_back(tmp_path, packing, content):
    path = tmp_path / f"rows{packing}"
    path.write_bytes(PACK[packing](content))
    with opened(path) as stream:
        assert stream.read() == content


@pytest.mark.parametrize("packing", PACK)
def test_parts_that_were_packed_apart_are_one_file(tmp_path, packing):
    path = tmp_path / f"rows{packing}"
    path.write_bytes(PACK[packing](b"a\n") + PACK[packing](b"") + PACK[packing](ROWS))
    with opened(path) as stream:
        assert stream.read() == b"a\n" + ROWS


@pytest.mark.parametrize("packing", PACK)
def test_every_format_and_its_ids_gain_packing(tmp_path, packing):
    files = {
        "a.txt": "Rain.", "b.md": "---\nid: b\n---\nIn [Gao](LOCATION).", "c.jsonl": '{"text": "Row."}', "d.csv": "text\nRow.\n",
        "e.tsv": "text\nRow.\n", "f.html": "<html><body><p>Rain fell on the town.</p></body></html>", "g.conll": "Gao\tB-LOCATION\n",
    }  # fmt: skip
    plain = write_files(tmp_path / "plain", files)
    packed = write_files(tmp_path / "packed", {f"{name}{packing}": PACK[packing](content.encode()) for name, content in files.items()})
    assert list(read_articles(packed)) == list(read_articles(plain))
    assert [article.id for article in read_articles(packed)] == ["a", "b", "c:1", "d:2", "e:2", "f", "g-1"]


def read_broken(path):
    rejected = []
    return list(read_articles(path, reject=rejected.append)), rejected


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_half_a_file_gives_the_rows_before_the_break_and_one_reject(tmp_path, packing, share, ending):
    content = ROWS if ending == ".jsonl" else b"id,text\n" + b"".join(b'%d,"left Gao, %d"\n' % (n, n * n % 977) for n in range(20_000))
    packed = PACK[packing](content)
    path = write_files(tmp_path, {f"rows{ending}{packing}": packed[: int(len(packed) * share)]}) / f"rows{ending}{packing}"
    articles, rejected = read_broken(path)
    assert [article.id for article in articles] == [str(n) for n in range(len(articles))]
    assert (0 < len(articles) < 20_000) if share else not articles
    (error,) = rejected
    assert error.source.line == len(articles) + 1 + (ending == ".csv" and share > 0)
    assert f"the {packing} packing is broken behind" in error.reason and "it ends too early" in error.reason
    assert "fetch the file again" in error.reason


@pytest.mark.parametrize("packing", PACK)
def test_a_damaged_byte_is_found_and_ends_the_file(tmp_path, packing):
    damaged = bytearray(PACK[packing](ROWS))
    damaged[len(damaged) // 2] ^= 0xFF
    (tmp_path / f"rows.jsonl{packing}").write_bytes(damaged)
    (tmp_path / "sound.txt").write_text("Rain.")
    articles, rejected = read_broken(tmp_path)
    assert articles[-1].id == "sound"
    assert any(f"the {packing} packing is broken" in error.reason for error in rejected)


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("name", ["a.txt", "a.html"])
def test_half_a_text_is_no_article(tmp_path, packing, name):
    write_files(tmp_path, {f"{name}{packing}": PACK[packing](ROWS)[:-20]})
    articles, rejected = read_broken(tmp_path)
    assert not articles and "is broken behind" in rejected[0].reason


def test_what_is_packed_but_not_named_so(tmp_path):
    for packing, pack in PACK.items():
        write_files(tmp_path, {"rows.txt": pack(ROWS)})
        with refused(f"the content is packed; name the file so that it ends in {packing}"):
            list(read_articles(tmp_path))


@pytest.mark.parametrize("packing", PACK)
def test_a_file_that_is_not_packed_but_named_so(tmp_path, packing):
    write_files(tmp_path, {f"rows.jsonl{packing}": ROWS[:1000]})
    with refused(f"rows.jsonl{packing}:1: cannot be read: the {packing} packing is broken behind 0 bytes"):
        list(read_articles(tmp_path))


def test_what_unpacks_to_a_thousand_times_as_much_is_a_stream(tmp_path):
    path = tmp_path / "zeros.zst"
    path.write_bytes(zstandard.ZstdCompressor(level=19).compress(bytes(1 << 26)))
    with opened(path) as stream:
        assert {len(stream.read(CHUNK)) for _ in range(256)} == {CHUNK}
        assert stream.read() == b""


def standard_input(monkeypatch, content: bytes):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_standard_input_is_jsonl_unless_said_otherwise(monkeypatch):
    standard_input(monkeypatch, b'{"text": "one"}\n{"text": 2}\n{"text": "three", "id": "c"}')
    rejected = []
    assert [article.id for article in read_articles("-", reject=rejected.append)] == ["stdin:1", "c"]
    assert [(error.source.path, error.source.line) for error in rejected] == [("<stdin>", 2)]


CONTENT = {
    "text": "Rain.", "annotated": "---\nid: b\n---\nRain.", "jsonl": '{"text": "Rain."}', "csv": "text\nRain.\n", "tsv": "text\nRain.\n",
    "html": "<html><body><p>Rain.</p></body></html>", "conll": "Rain. O", "indicators": "Rain.\t1",
    "labelstudio": '[{"data": {"text": "Rain."}}]', "doccano": '{"text": "Rain."}', "prodigy": '{"text": "Rain."}',
}  # fmt: skip


def packed_docs() -> bytes:
    return DocBin(docs=[spacy.blank("xx")("Rain.")]).to_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_formats_of_standard_input(monkeypatch, name):
    standard_input(monkeypatch, packed_docs() if name == "spacy" else CONTENT.get(name, "").encode())
    if name in CONTENT or name == "spacy":
        assert [article.text for article in read_articles("-", format=name)] == ["Rain."]
    else:
        with refused("standard input", "folder" if name != "parquet" else "save it to a file"):
            list(read_articles("-", format=name))


def test_a_file_may_be_called_as_standard_input_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {"-": "dash", "<stdin>": "angle"})
    assert [article.text for article in read_articles("./-", format="text")] == ["dash"]
    assert [article.text for article in read_articles("<stdin>", format="text")] == ["angle"]
