"""action=agreement as a whole: what it prints and lists."""

import json
import logging

import pytest
from factories import make_article, refused
from tiny import compose

from sitrep import jobs
from sitrep.formats import jsonl
from sitrep.terminal import WIDTH

A = [make_article("a", "[Ali](PERSON) left [Gao](LOCATION).", labels={"topics": ("war",)}), make_article("only a", "Rain.")]
B = [make_article("a", "[Ali](PERSON) left [Gao](ARMED_GROUP).", labels={"topics": ("peace",)})]


def agree(*arguments):
    return jobs.annotate(compose("annotate", "action=agreement", *arguments))


@pytest.fixture
def sides(tmp_path):
    for name, articles in (("a", A), ("b", B)):
        jsonl.write(articles, tmp_path / f"{name}.jsonl")
    return [f"{name}={tmp_path / f'{name}.jsonl'}" for name in "ab"]


def test_two_files_are_compared_and_their_disagreements_listed(sides, tmp_path, capsys):
    assert agree(*sides, f"output={tmp_path / 'd.jsonl'}") == 0
    printed = capsys.readouterr().out
    assert "1 articles stand in a only and are not compared: only a" in printed
    assert "1 articles, 3 words" in printed and "topics (equal in 0 of 1)" in printed
    assert "2 disagreements: 1 label, 1 class" in printed
    assert max(len(line) for line in printed.splitlines() if line[:1] in "┏┃┡│└├") <= WIDTH
    rows = [json.loads(line) for line in (tmp_path / "d.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["kind"], row["detail"]) for row in rows] == [("label", "wrong label"), ("class", "topics")]


def test_overlapping_marks_are_told(tmp_path, capsys):
    row = {"id": "a", "text": "Bank of Gao", "spans": [{"start": 0, "end": 11, "label": "X"}, {"start": 8, "end": 11, "label": "Y"}]}
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row))
    assert agree(f"a={tmp_path / 'a.jsonl'}", f"b={tmp_path / 'b.jsonl'}") == 0
    printed = capsys.readouterr().out
    assert "kappa takes one label a word: 2 marks that overlap a longer one do not count there" in printed
    assert "no disagreement" in printed


def test_articles_without_any_mark_agree(tmp_path, capsys, caplog):
    for name in "ab":
        jsonl.write([make_article("a", "Rain.")], tmp_path / f"{name}.jsonl")
    with caplog.at_level(logging.WARNING):
        assert agree(f"a={tmp_path / 'a.jsonl'}", f"b={tmp_path / 'b.jsonl'}") == 0
    assert "no disagreement" in capsys.readouterr().out and not caplog.records


def test_a_file_of_labels_is_never_written_over(sides, tmp_path):
    before = (tmp_path / "a.jsonl").read_bytes()
    for more in ((), ("overwrite=true",)):
        with refused("is what is read"):
            agree(*sides, f"output={tmp_path / 'a.jsonl'}", *more)
    (tmp_path / "d.jsonl").write_text("mine")
    with refused("is there already", "overwrite=true"):
        agree(*sides, f"output={tmp_path / 'd.jsonl'}")
    with refused("choose .jsonl"):
        agree(*sides, f"output={tmp_path / 'd.csv'}")
    assert (tmp_path / "a.jsonl").read_bytes() == before and (tmp_path / "d.jsonl").read_text() == "mine"
    assert agree(*sides, f"output={tmp_path / 'd.jsonl'}", "overwrite=true") == 0
    assert len((tmp_path / "d.jsonl").read_text().splitlines()) == 2


def test_what_cannot_be_compared_is_refused(sides, tmp_path):
    with refused("is compared with itself", "annotator_a="):
        agree(sides[0], sides[0].replace("a=", "b=", 1))
    with refused("is compared with itself"):
        agree(sides[0], f"b={tmp_path / 'x' / '..' / 'a.jsonl'}")
    with refused("action=check"):
        (tmp_path / "b.jsonl").write_text('{"id": "a", "text": "Ali left Gao.", "spans": [{"start": 9, "end": 99, "label": "X"}]}')
        agree(*sides)
