import hashlib
import json

import pytest
from factories import refused, write_files

from sitrep.articles import Span
from sitrep.formats import read_articles

TEXT = "🚁 Fighters left Gao\nCity on Monday."
ANN = "T1\tLOCATION 16 24\tGao City\nT2\tDATE 28 34\tMonday\n"
SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()


def test_text_beside_the_annotation(tmp_path):
    write_files(tmp_path, {"x/n.txt": TEXT, "x/n.ann": ANN, "x/n.json": json.dumps({"labels": {"topics": ["bombing"]}, "url": "u"})})
    (article,) = read_articles(tmp_path)
    assert (article.id, article.text, article.extra) == ("x/n", TEXT, {"url": "u"})
    assert article.spans == (Span(16, 24, "LOCATION"), Span(28, 34, "DATE"))
    assert article.labels == {"topics": ("bombing",)}


def test_other_lines_are_counted_in_a_warning(tmp_path, caplog):
    windows_lines = ANN.replace("\n", "\r\n")
    write_files(tmp_path, {"n.txt": TEXT, "n.ann": windows_lines + "#1\tAnnotatorNotes T1\tsure\nR1\tIn Arg1:T1 Arg2:T2\n#2\tx\n"})
    (article,) = read_articles(tmp_path)
    assert len(article.spans) == 2
    assert "3 lines are no entities and were not read ({'#': 2, 'R': 1})" in caplog.text


HASHED = {"text_sha256": SHA256}


@pytest.mark.parametrize(("name", "meta"), [("deep/n.txt", {}), ("deep/n.txt", HASHED), ("other.txt", HASHED)])
def test_text_elsewhere_is_found_by_name_or_hash(tmp_path, name, meta):
    write_files(tmp_path / "texts", {name: TEXT, "wrong.txt": "Something else."})
    write_files(tmp_path / "anns", {"n.ann": ANN, "n.json": json.dumps({"id": 7, **meta})})
    (article,) = read_articles(tmp_path / "anns", text_dir=tmp_path / "texts")
    assert (article.id, article.text, len(article.spans)) == ("7", TEXT, 2)


def test_changed_text_is_refused_by_its_hash(tmp_path):
    changed = TEXT.replace("Monday", "Sunday")
    write_files(tmp_path, {"n.txt": changed, "n.ann": ANN, "n.json": json.dumps({"text_sha256": SHA256})})
    found = hashlib.sha256(changed.encode()).hexdigest()
    with refused(f"{tmp_path / 'n.ann'}:1", f"{tmp_path / 'n.txt'} is not the text that was labelled", found, SHA256, "text_dir="):
        list(read_articles(tmp_path))


@pytest.mark.parametrize("text_dir", [None, "texts"])
def test_missing_text_is_named_with_the_way_out(tmp_path, text_dir):
    write_files(tmp_path, {"n.ann": ANN, "texts/other.txt": "Something else."})
    with refused(f"{tmp_path / 'n.ann'}:1: its text is neither at {tmp_path / 'n.txt'}", "text_dir=", text_dir or ""):
        list(read_articles(tmp_path / "n.ann", text_dir=text_dir and tmp_path / text_dir))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("T3\tLOCATION 2 10;16 19\tFighters Gao", "discontinuous mention 'Fighters Gao' (2 10;16 19): join its fragments"),
        ("T3\tLOCATION 16 99\tGao", "span LOCATION [16, 99) is empty or outside the text of 35 characters"),
        ("T3\tLOCATION 16 16\t", "span LOCATION [16, 16) is empty or outside"),
        ("T3\tLOCATION 17 20\tGao", "but the file says 'Gao'; offsets must count code points"),
        ("T3 LOCATION 16 19 Gao", "expected 'T1<TAB>LABEL start end<TAB>surface', found 'T3 LOCATION 16 19 Gao'"),
    ],
)
def test_bad_line_names_file_and_line(tmp_path, line, problem):
    write_files(tmp_path, {"n.txt": TEXT, "n.ann": f"{ANN}{line}\n"})
    with refused(f"{tmp_path / 'n.ann'}:3: ", problem):
        list(read_articles(tmp_path))


@pytest.mark.parametrize(
    ("meta", "line", "problem"),
    [
        ('{"labels":\n {', 2, "not JSON"),
        ("[]", 1, "expected an object"),
        ('{"labels": []}', 1, "expected an object"),
        ('{"labels": {"topics": "bombing"}}', 1, "expected an object"),
    ],
)
def test_bad_json_beside_the_annotation(tmp_path, meta, line, problem):
    write_files(tmp_path, {"n.txt": TEXT, "n.ann": ANN, "n.json": meta})
    with refused(f"{tmp_path / 'n.json'}:{line}: {problem}"):
        list(read_articles(tmp_path))
