"""annotate.py action=suspects as a whole job with tiny models: who judges what, what is printed and written, what is trained."""

import csv
import gc
import json
import logging
import sys

import pytest
from factories import refused
from tiny import SMALL, compose, own_data

from sitrep import jobs
from sitrep.annotating.judges import judges_of
from sitrep.annotating.suspects import FIELDS
from sitrep.corpus import load_corpus
from sitrep.finding import finished_runs
from sitrep.formats import read_articles
from sitrep.judging import Opinion
from sitrep.runs import Run
from sitrep.splits import read_splits, write_splits
from sitrep.suspicion import weigh

FEW = ("trainer.epochs=1", "trainer.learning_rate=2e-2", "trainer.head_learning_rate=2e-2")


def suspects(*arguments: str) -> int:
    return jobs.annotate(compose("annotate", "action=suspects", "device=cpu", *arguments))


def of_run(run, *arguments: str) -> int:
    return suspects(f"run=[{run.path}]", *arguments)


@pytest.fixture(scope="module")
def folds(encoder, corpus, tmp_path_factory) -> list[Run]:
    """Three folds as train.py leaves them, the pooled folder beside them; not to be changed."""
    home = tmp_path_factory.mktemp("folds")
    for fold in range(3):
        options = ("model=hub", f"model.path={encoder}", *SMALL, *FEW, "cv.folds=3", f"cv.fold={fold}")
        assert jobs.train(compose("train", *own_data(corpus), *options), home / str(fold)) == 0
    return [Run(home / str(fold)) for fold in range(3)]


def test_a_single_run_judges_what_it_did_not_learn_from(ner_run, corpus, tmp_path, capsys, caplog):
    output = tmp_path / "suspects.jsonl"
    with caplog.at_level(logging.WARNING):
        assert of_run(ner_run, "n=3", f"output={output}") == 0
    splits = read_splits(corpus / "splits.csv")
    others = {name for name, split in splits.items() if split != "train"}
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert {row["id"] for row in rows} == others
    assert f"{20 - len(others)} of 20 articles of {corpus} are left out" in caplog.text and "learnt from them" in caplog.text
    articles = {article.id: article for article in read_articles(corpus)}
    assert sum(row["label"] != "no mark" for row in rows) == sum(len(articles[name].spans) for name in others)
    assert [row["rank"] for row in rows] == [*range(1, len(rows) + 1)]
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    for row in rows:
        article = articles[row["id"]]
        assert tuple(row) == FIELDS and article.text[row["start"] : row["end"]] == row["text"] and row["text"] in row["sentence"]
        line = (corpus / f"{row['id']}.md").read_text(encoding="utf-8").splitlines()[row["line"] - 1]
        assert row["file"] == str(corpus / f"{row['id']}.md") and row["text"] in line
        if row["suggested_label"] != "no mark":
            assert article.text[row["suggested_start"] : row["suggested_end"]] == row["suggested_text"]
    out = capsys.readouterr().out
    assert "the 3 most suspect of" in out and f"all {len(rows)}, most suspect first: {output}" in out


def test_a_mark_that_was_swapped_comes_first(ner_run, tmp_path):
    article = tmp_path / "wrong.md"
    lines = (
        "A bomb planted by the [Red Banner](ARMED_GROUP) exploded in [Quetta](DATE) on [Tuesday](DATE).",
        "Envoys met [Paul Okoro](PERSON) in [Gao](LOCATION) on [Monday](DATE) to discuss a truce.",
        "Gunmen of the [Desert Front](ARMED_GROUP) abducted a nurse near [Multan](LOCATION) on [Friday](DATE).",
    )
    article.write_text("---\nid: wrong\n---\n" + "\n\n".join(lines) + "\n", encoding="utf-8")
    output = tmp_path / "suspects.csv"
    assert of_run(ner_run, f"input={article}", f"output={output}") == 0
    with output.open(encoding="utf-8", newline="") as rows:
        first = next(row for row in csv.DictReader(rows) if row["id"] == "wrong" and row["label"] != "no mark")
    assert (first["text"], first["label"], first["problem"], first["suggested_label"]) == ("Quetta", "DATE", "wrong label", "LOCATION")
    assert first["line"] == "4" and float(first["score"]) < 0
    assert first["why"].startswith("the model: LOCATION ") and "(usually " in first["why"]


def test_each_article_is_judged_by_the_fold_that_held_it_out_and_test_by_all(folds, corpus):
    judged = judges_of([str(run.path) for run in folds], None)
    splits = read_splits(corpus / "splits.csv")
    assert {article.id for article in judged.articles} == splits.keys()
    test = {name for name, split in splits.items() if split == "test"}
    for run, articles in judged.by_run:
        assert {article.id for article in articles} == test | {article.id for article in run.articles("gold", "fold")}
    (pool,) = folds[0].path.parent.glob("*-cv3")
    pooled = judges_of([str(pool)], None)
    assert [run.path.name for run in pooled.runs] == ["0", "1", "2"] and pooled.articles == judged.articles


def test_what_a_split_made_anew_would_have_learnt_models_judge_is_refused(ner_run, folds, copy_run, corpus, tmp_path):
    path = corpus / "splits.csv"
    before = path.read_bytes()
    splits = read_splits(path)
    learnt, tested = (next(name for name, split in splits.items() if split == wanted) for wanted in ("train", "test"))
    try:
        write_splits({**splits, learnt: "test"}, path)
        with refused(f"run={ner_run.path}: it was trained beside", "leave out run=", "bring back the split"):
            judges_of([str(ner_run.path)], None)
        with refused("its dev articles were others"):
            judges_of([str(run.path) for run in folds], None)
        write_splits({**splits, learnt: "test", tested: "train"}, path)
        run = copy_run(ner_run)
        run.save_evaluation({"name": "test"}, [article for article in read_articles(corpus) if splits[article.id] == "test"], [])
        with refused("its test articles were others", learnt, tested):
            judges_of([str(run.path)], None)
    finally:
        path.write_bytes(before)


def test_an_opinion_is_forgotten_when_it_is_weighed(folds, monkeypatch):
    alive = []

    def counting(article, opinions, labels):
        alive.append((len(opinions), sum(type(thing) is Opinion for thing in gc.get_objects())))
        return weigh(article, opinions, labels)

    monkeypatch.setattr(sys.modules["sitrep.annotating.suspects"], "weigh", counting)  # the package has a function of that name
    assert suspects(f"run=[{','.join(str(run.path) for run in folds)}]") == 0
    assert len(alive) == 20 and {n for n, _ in alive} == {1, 3}
    assert all(n_alive <= 2 * n for n, n_alive in alive)


def test_articles_of_folds_that_are_not_given_are_left_out(folds, caplog):
    judged = judges_of([str(folds[0].path)], None)
    n_left_out = 20 - len(judged.articles)
    assert n_left_out > 0 and f"{n_left_out} of 20 articles" in caplog.text


def test_more_articles_are_judged_unless_they_were_learnt_from(ner_run, corpus, tmp_path, caplog):
    learnt = load_corpus(ner_run.config().data, ner_run.config().task).train[0]
    text = (corpus / f"{learnt.id}.md").read_text(encoding="utf-8")
    more = " But much is unlike it, since these are other words by far."
    for name, content in (("new", text + 3 * more), ("copy", text)):
        (tmp_path / f"{name}.md").write_text(content.replace(f"id: {learnt.id}", f"id: {name}"), encoding="utf-8")
    (tmp_path / "known.md").write_text(text, encoding="utf-8")
    judged = judges_of([str(ner_run.path)], str(tmp_path))
    added = {article.id for article in judged.articles} - read_splits(corpus / "splits.csv").keys()
    assert added == {"new"} and "2 of 3 articles of input are left out" in caplog.text


def test_marks_that_do_not_fit_the_head_are_listed_at_the_end(ner_run, tmp_path, caplog):
    article = tmp_path / "odd.md"
    article.write_text("---\nid: odd\n---\nA [Mali](LOCATION)an came to [Gao](LOCATION).\n")
    output = tmp_path / "suspects.jsonl"
    assert of_run(ner_run, f"input={article}", f"output={output}") == 0
    *_, last = (json.loads(line) for line in output.read_text(encoding="utf-8").splitlines())
    assert (last["text"], last["problem"], last["score"], last["line"]) == ("Mali", "not judged", None, 4)
    assert last["why"] in ("inside a word", "inside a token")
    assert f"1 marks do not fit the models' head and are not judged: 1 {last['why']}" in caplog.text


def test_without_a_run_folds_are_trained_once_and_those_that_are_there_taken(encoder, corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [*own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL, *FEW, "folds=3", "n=2"]
    options = [argument for argument in arguments if argument not in ("folds=3", "n=2")]
    assert jobs.train(compose("train", *options, "cv.folds=3", "cv.fold=1"), tmp_path / "models" / "own-ner-hub" / "by-hand") == 0
    assert suspects(*arguments, "output=all.jsonl") == 0
    said = capsys.readouterr().out
    assert "2 of 3 folds are not trained yet" in said and "20 articles of" in said and "judged by 3 models" in said
    runs = [run.path for run in finished_runs()]
    assert len(runs) == 3 and any(path.name == "by-hand" for path in runs)
    first = (tmp_path / "all.jsonl").read_bytes()
    assert suspects(*arguments, "output=all.jsonl", "overwrite=true") == 0
    assert "not trained yet" not in capsys.readouterr().out
    assert [run.path for run in finished_runs()] == runs and (tmp_path / "all.jsonl").read_bytes() == first
    assert {json.loads(line)["id"] for line in first.decode().splitlines()} == read_splits(corpus / "splits.csv").keys()


def test_what_is_refused(ner_run, topics_run, lookup_run, tmp_path):
    for run, kind in ((topics_run, "task topics"), (lookup_run, "a lookup model")):
        with refused(kind, "no probabilities of mentions"):
            of_run(run)
    with refused("the ending says the format; choose .jsonl or .csv"):
        of_run(ner_run, f"output={tmp_path / 'x.parquet'}")
    with refused("input=x: who is to judge"):
        suspects("input=x")
    with refused("task=topics: suspects are looked for among mentions"):
        suspects("task=topics")
    with refused("model=lookup", "choose model=minilm3"):
        suspects("model=lookup")
