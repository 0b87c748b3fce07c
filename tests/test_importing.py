"""What annotators give back joins a corpus: files, split and report; the corpus is one of annotated Markdown or JSON Lines."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from factories import new_article, refused
from tiny import compose, own_data

from sitrep import jobs
from sitrep.articles import Span
from sitrep.formats import jsonl, read_articles
from sitrep.formats.writing import Target
from sitrep.splits import read_splits


def write(path, articles):
    path.parent.mkdir(exist_ok=True)
    jsonl.write(articles, path, Target())
    return path


def import_from(path, corpus, *options):
    return jobs.annotate(compose("annotate", "action=import", f"input={path}", *own_data(corpus), *options))


@pytest.fixture
def corpus_split(corpus_copy):
    """A folder of annotated Markdown with its split, to be changed."""
    jobs.annotate(compose("annotate", "action=split", *own_data(corpus_copy)))
    return corpus_copy


def test_new_articles_become_files_as_the_others_are(corpus_split, tmp_path, capsys):
    before = read_splits(corpus_split / "splits.csv")
    files = {path: path.read_bytes() for path in corpus_split.glob("*.md")}
    given = [new_article(n) for n in range(5)]
    assert import_from(write(tmp_path / "week 1.jsonl", given), corpus_split, "split=train") == 0
    assert "5 articles read: 5 new (5 train), 0 changed, 0 as they were in the corpus" in capsys.readouterr().out
    read = {article.id: article for article in read_articles(corpus_split)}
    for article in given:
        assert (read[article.id].text, read[article.id].spans, read[article.id].labels) == (article.text, article.spans, article.labels)
        assert read[article.id].source.path.startswith(str(corpus_split / "imported" / "week_1"))
    assert {path: path.read_bytes() for path in files} == files
    after = read_splits(corpus_split / "splits.csv")
    assert before.items() < after.items() and {after[article.id] for article in given} == {"train"}


def test_the_same_import_twice_changes_nothing(corpus_split, tmp_path, capsys):
    given = write(tmp_path / "w.jsonl", [new_article(n) for n in range(3)])
    import_from(given, corpus_split)
    files = {path: path.read_bytes() for path in corpus_split.rglob("*") if path.is_file()}
    assert import_from(given, corpus_split) == 0
    assert "0 new, 0 changed, 3 as they were" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in corpus_split.rglob("*") if path.is_file()} == files


def test_corrected_labels_change_the_marks_of_their_file_and_nothing_else(corpus_split, tmp_path, capsys):
    old = next(article for article in read_articles(corpus_split) if len(article.spans) > 2)
    fewer = replace(old, spans=old.spans[1:])
    given = write(tmp_path / "w.jsonl", [fewer])
    before = Path(old.source.path).read_text()
    gone = f"only the corpus has {old.spans[0].label} {old.surface(old.spans[0])!r}"
    with refused(f"{given}:1: ", "other labels for this article, the first of 1 such", gone, f"({old.source.path}:", "update=true"):
        import_from(given, corpus_split)
    assert import_from(given, corpus_split, "update=true") == 0
    assert f"changed: {old.source.path}" in capsys.readouterr().out
    read = {article.id: article for article in read_articles(corpus_split)}
    assert read[old.id] == fewer
    span = old.spans[0]
    assert Path(old.source.path).read_text() == before.replace(f"[{old.surface(span)}]({span.label})", old.surface(span), 1)


def test_a_corpus_of_lines_grows_and_changes_line_by_line(tmp_path, capsys):
    path = tmp_path / "corpus.jsonl"
    rows = [json.dumps({"text": new_article(n).text, "id": f"new-{n}", "topics": ["diplomacy"]}) for n in range(6)]
    path.write_text("\n".join(rows))  # no newline at the end
    options = [f"data.path={path}" if option.startswith("data.path") else option for option in own_data(path)]
    jobs.annotate(compose("annotate", "action=split", *options))
    given = [replace(new_article(2), labels={}), new_article(7)]
    assert import_from(write(tmp_path / "given.jsonl", given), path, "update=true") == 0
    assert "2 articles read: 1 new" in capsys.readouterr().out
    lines = path.read_text().splitlines()
    assert [lines[n] for n in (0, 1, 3, 4, 5)] == [rows[n] for n in (0, 1, 3, 4, 5)] and len(lines) == 7
    assert json.loads(lines[2])["topics"] == ["diplomacy"] and len(json.loads(lines[2])["spans"]) == 3
    assert json.loads(lines[6])["id"] == "new-7"
    assert len(read_splits(tmp_path / "corpus.splits.csv")) == 7


@pytest.mark.parametrize("name", ["fresh", "fresh.jsonl"])
def test_a_corpus_can_begin_with_an_import(tmp_path, name):
    given = [new_article(n) for n in range(8)]
    assert import_from(write(tmp_path / "given.jsonl", given), tmp_path / name) == 0
    assert list(read_articles(tmp_path / name)) == given
    splits = read_splits(tmp_path / name / "splits.csv" if name == "fresh" else tmp_path / "fresh.splits.csv")
    assert splits.keys() == {article.id for article in given} and set(splits.values()) == {"train", "dev", "test"}


def test_what_a_model_said_is_no_label_of_people(corpus_split, tmp_path):
    scored = [replace(new_article(n), spans=tuple(replace(span, score=0.9) for span in new_article(n).spans)) for n in range(3)]
    given = write(tmp_path / "found.jsonl", scored)
    with refused(f"{given}:1: article 'new-0'", "its labels bear scores", "checked=true"):
        import_from(given, corpus_split)
    assert import_from(given, corpus_split, "checked=true") == 0
    assert all(span.score is None for article in read_articles(corpus_split) for span in article.spans)


def test_what_people_changed_is_counted(corpus_split, tmp_path, capsys):
    gold = new_article(1)
    person, place, group = gold.spans
    wrong = replace(place, label="PERSON", score=0.5)
    longer, extra = replace(group, start=group.start - 4, score=0.6), Span(0, 6, "PERSON", 0.4)
    predictions = write(tmp_path / "found.jsonl", [replace(gold, spans=(extra, person, wrong, longer)), new_article(2, spans=())])
    given = write(tmp_path / "given.jsonl", [gold, new_article(3)])
    import_from(given, corpus_split, f"predictions={predictions}")
    assert (
        "of 4 mentions predicted in 1 of these articles people kept 1; changes: 1 wrong label, 1 too long, 1 removed"
        in capsys.readouterr().out
    )


def test_nothing_is_written_when_something_is_refused(corpus_split, tmp_path):
    files = {path: path.read_bytes() for path in corpus_split.rglob("*") if path.is_file()}
    cannot = new_article(2, text=f"{new_article(2).text}\n")  # which annotated Markdown does not keep
    given = write(tmp_path / "given.jsonl", [new_article(1), cannot])
    with refused(f"{given}:2: article 'new-2': the format of the corpus cannot hold its newlines around texts", "action=convert"):
        import_from(given, corpus_split)
    assert {path: path.read_bytes() for path in corpus_split.rglob("*") if path.is_file()} == files


def test_a_corpus_that_cannot_grow(tmp_path):
    table = tmp_path / "corpus.csv"
    table.write_text("id,text,topics\n" + "".join(f"a{n},{new_article(n).text},diplomacy\n" for n in range(6)))
    with refused(f"data.path={table}: articles are added to a folder or to a file of our JSON Lines", "action=convert"):
        import_from(write(tmp_path / "given.jsonl", [new_article(9)]), table)
    with refused("data.split_by=file", "imported/train.jsonl"):
        compose("annotate", "action=import", "input=x", *own_data(tmp_path), "data.split_by=file")
    with refused("into='../x' must name a folder below"):
        compose("annotate", "action=import", "input=x", *own_data(tmp_path), "into=../x")


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_written_when_a_changed_article_cannot_be(corpus_split, tmp_path):
    old = next(article for article in read_articles(corpus_split) if article.spans)
    span = old.spans[0]
    overlapping = replace(old, spans=(span, Span(span.start, span.end - 1, span.label)))
    before = files_of(corpus_split)
    with refused("cannot hold its overlapping mentions"):
        import_from(write(tmp_path / "given.jsonl", [new_article(1), overlapping]), corpus_split, "update=true")
    assert files_of(corpus_split) == before


def test_nothing_is_written_when_the_split_cannot_be(corpus_split, tmp_path):
    (tmp_path / "file").write_text("")
    before = files_of(corpus_split)
    with refused("cannot be written", "nothing was changed"):
        import_from(write(tmp_path / "w.jsonl", [new_article(1)]), corpus_split, f"data.splits_path={tmp_path / 'file' / 'splits.csv'}")
    assert files_of(corpus_split) == before


def test_an_import_that_was_killed_is_completed_by_the_same_command(corpus_split, tmp_path, capsys):
    given = write(tmp_path / "w.jsonl", [new_article(n) for n in range(3)])
    split = (corpus_split / "splits.csv").read_bytes()
    import_from(given, corpus_split, "split=train")
    whole = files_of(corpus_split)
    (corpus_split / "splits.csv").write_bytes(split)  # which is written last
    import_from(given, corpus_split, "split=train")
    assert files_of(corpus_split) == whole
    assert "3 new (3 train)" in capsys.readouterr().out


def test_a_split_of_other_articles_is_not_added_to(corpus_split, tmp_path):
    given = write(tmp_path / "w.jsonl", [new_article(n) for n in range(4)])
    with refused(f"{corpus_split / 'splits.csv'}: is the split of other articles", "data.splits_path="):
        import_from(given, tmp_path / "nowhere", f"data.splits_path={corpus_split / 'splits.csv'}")


def test_a_corpus_that_is_read_as_another_tools_is_not_written_to(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text(json.dumps({"id": "a", "text": "In Gao.", "label": [[3, 6, "LOCATION"]]}) + "\n")
    with refused("our JSON Lines", "action=convert"):
        import_from(write(tmp_path / "w.jsonl", [new_article(n) for n in range(4)]), path, "data.format=doccano")


@pytest.mark.parametrize("name", [".export.jsonl", "readme.jsonl", "a*b.jsonl"])
def test_new_files_are_named_so_that_they_are_read(corpus_split, tmp_path, name):
    write(tmp_path / "given" / name, [new_article(n) for n in range(3)])
    import_from(tmp_path / "given" / name, corpus_split)
    assert len(list(read_articles(corpus_split))) == 23


def test_numbers_of_other_fields_become_the_text_that_front_matter_holds(corpus_split, tmp_path):
    import_from(write(tmp_path / "w.jsonl", [new_article(1, extra={"year": 2021})]), corpus_split)
    (article,) = (article for article in read_articles(corpus_split) if article.id == "new-1")
    assert article.extra == {"year": "2021"}


def test_predictions_of_other_articles(corpus_split, tmp_path):
    predictions = write(tmp_path / "found.jsonl", [new_article(5)])
    with refused(f"predictions={predictions}: holds none of the articles"):
        import_from(write(tmp_path / "w.jsonl", [new_article(1)]), corpus_split, f"predictions={predictions}")


def test_line_ends_of_a_changed_line_stay(tmp_path):
    path = tmp_path / "corpus.jsonl"
    rows = [jsonl.format_row(new_article(n)) for n in range(4)]
    path.write_bytes("".join(row + "\r\n" for row in rows).encode())
    jobs.annotate(compose("annotate", "action=split", *own_data(path)))
    changed = replace(new_article(2), spans=new_article(2).spans[:1])
    import_from(write(tmp_path / "w.jsonl", [changed]), path, "update=true")
    rows[2] = jsonl.format_row(changed)
    assert path.read_bytes() == "".join(row + "\r\n" for row in rows).encode()


def test_tasks_that_nobody_labelled_are_no_labels(corpus_split, tmp_path, caplog):
    def task(n, **rest):
        return {"id": n, "data": {"id": f"new-{n}", "text": new_article(n).text}, **rest}

    region = {
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 0, "end": 6, "text": "Envoys", "labels": ["PERSON"]},
    }
    tasks = [
        task(1, annotations=[]),
        task(2, annotations=[{"completed_by": 1, "was_cancelled": True, "result": [region]}]),
        task(3, annotations=[], predictions=[{"result": [region]}]),
        task(4, annotations=[{"completed_by": 1, "was_cancelled": False, "result": [region]}]),
    ]
    given = tmp_path / "export.json"
    given.write_text(json.dumps(tasks))
    import_from(given, corpus_split, "data.labels.topics=[]", "data.labels.region=[]")
    new = [article for article in read_articles(corpus_split) if article.id.startswith("new-")]
    assert [(article.id, len(article.spans)) for article in new] == [("new-4", 1)]
    assert "3 articles are left out, for no person labelled them, such as new-1" in caplog.text
