import hashlib
import json

import pytest
from factories import refused, write_files

from sitrep.articles import Article, Span
from sitrep.formats import read_articles, write_articles
from sitrep.formats.faults import DISCONTINUOUS, Loss, Losses
from sitrep.formats.writing import Target

TEXT = "🚁 Fighters left Gao\nCity on Monday."
ANN = "T1\tLOCATION 16 24\tGao City\nT2\tDATE 28 34\tMonday\n"
SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()


def test_text_beside_the_annotation(tmp_path):
    write_files(tmp_path, {"x/n.txt": TEXT, "x/n.ann": ANN, "x/n.json": json.dumps({"labels": {"topics": ["bombing"]}, "url": "u"})})
    (article,) = read_articles(tmp_path)
    assert (article.id, article.text, article.extra) == ("x/n", TEXT, {"url": "u"})
    assert article.spans == (Span(16, 24, "LOCATION"), Span(28, 34, "DATE"))
    assert article.labels == {"topics": ("bombing",)}


OTHERS = (
    "#1\tAnnotatorNotes T1\tsure\nR1\tIn Arg1:T1 Arg2:T2\n*\tAlias T1 T2\nE1\tATTACK:T1\nA1\tOld T1\nM2\tNew T2\n"
    "N1\tReference T1 Wiki:1\tx\n#2\tAnnotatorNotes T9\tscore 0.5\n?\n"
)


def test_what_no_article_holds_is_lost_line_by_line(tmp_path, caplog):
    write_files(tmp_path, {"n.txt": TEXT, "n.ann": (ANN + OTHERS).replace("\n", "\r\n")})
    losses = Losses(keep=20)
    (article,) = read_articles(tmp_path, lose=losses)
    assert len(article.spans) == 2
    kinds = {"relations": 2, "notes": 2, "attributes": 2, "events": 1, "normalisations": 1, "lines that are no entities": 1}
    assert losses.counts == kinds
    assert losses.kept[0] == Loss("n", "notes", "n.ann:3: #1\tAnnotatorNotes T1\tsure")
    list(read_articles(tmp_path))
    assert f"{tmp_path / 'n.ann'}: not read: 2 notes, 2 relations" in caplog.text


def test_a_note_of_a_score_is_the_score(tmp_path):
    note = "#1\tAnnotatorNotes T1\tscore 0.93 our model\n"
    write_files(tmp_path, {"n.txt": TEXT, "n.ann": ANN + note})
    losses = Losses()
    (article,) = read_articles(tmp_path, lose=losses)
    assert [span.score for span in article.spans] == [0.93, None] and not losses.counts


def test_predictions_are_written_with_score_and_model(tmp_path):
    article = Article("n", TEXT, (Span(16, 24, "LOCATION", 0.93), Span(28, 34, "DATE")))
    write_articles([article], tmp_path / "out", format="brat", target=Target(predicted_by="lookup\nof 1 May"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"n.txt", "n.ann"}
    entities = ANN.splitlines()
    expected = [entities[0], "#1\tAnnotatorNotes T1\tscore 0.93 lookup of 1 May", entities[1]]
    assert (tmp_path / "out/n.ann").read_text().splitlines() == expected


@pytest.mark.parametrize("gap", ["\n", " \r\n\n", " "])
def test_fragments_around_white_space_are_one_mention(tmp_path, gap):
    text = f"In Gao{gap}City."
    second = 6 + len(gap)
    write_files(tmp_path, {"n.txt": text, "n.ann": f"T1\tLOCATION 3 6;{second} {second + 4}\tGao City\n"})
    (article,) = read_articles(tmp_path, report=None if gap in ("\n", " ") else [].append)
    assert article.spans == (Span(3, second + 4, "LOCATION"),)


def test_a_mention_with_gaps_can_be_reported_instead(tmp_path):
    write_files(tmp_path, {"n.txt": TEXT, "n.ann": f"{ANN}T3\tLOCATION 2 10;16 19\tFighters Gao\n"})
    faults = []
    (article,) = read_articles(tmp_path, report=faults.append)
    assert len(article.spans) == 2
    assert [(fault.kind, fault.article_id, fault.mark.start, fault.mark.end) for fault in faults] == [(DISCONTINUOUS, "n", 2, 19)]


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
        ("T1\tLOCATION 16 19\tGao", "T1 stands twice, also in line 1"),
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


@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        ({"id": None}, "'id' must be a string or a whole number, found None"),
        ({"id": ["a"]}, "'id' must be a string or a whole number, found ['a']"),
        ({"labels": {"topics": [["raid"]]}}, "a list of strings, found {'topics': [['raid']]}"),
        ({"scores": {"topics": {"raid": 7}}}, "the score of topics 'raid' must be a number in [0, 1], found 7"),
    ],
)
def test_what_stands_beside_is_checked(tmp_path, meta, problem):
    write_files(tmp_path, {"n.txt": "In Gao.", "n.ann": "", "n.json": json.dumps(meta)})
    with refused(f"{tmp_path / 'n.json'}:1: ", problem):
        list(read_articles(tmp_path / "n.ann"))
