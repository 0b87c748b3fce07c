"""Whole jobs: train, evaluate, predict, compare and annotate on a tiny corpus with a tiny encoder; nothing is replaced."""

import datetime
import gzip
import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factories import write_files
from tiny import REGIONS, TOPICS, compose, own_data, write_corpus

from sitrep import jobs
from sitrep.articles import Article, Span
from sitrep.errors import InputError
from sitrep.evaluation import save_evaluation
from sitrep.finding import open_run
from sitrep.formats import jsonl, read_articles
from sitrep.reliability import bin_sums, scored_items
from sitrep.runs import Run
from sitrep.shards import SHARD_ARTICLES
from sitrep.splits import read_splits

CHECKPOINT = {"config.json", "model.safetensors", "sitrep.json", "tokenizer.json", "tokenizer_config.json"}
RUNS = ("ner_run", "topics_run", "lookup_run", "tfidf_run")


def evaluate(run, *arguments: str) -> None:
    assert jobs.evaluate(compose("evaluate", f"run={run.path}", "device=cpu", *arguments)) == 0


def predict(runs, source, output, *arguments: str) -> int:
    names = ",".join(str(run.path) for run in runs)
    return jobs.predict(compose("predict", f"run=[{names}]", f"input={source}", f"output={output}", "device=cpu", *arguments))


def files(run) -> set[str]:
    return {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file()}


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_brat(articles, folder: Path, text_dir: Path) -> Path:
    """Write articles as brat stand-off, their texts elsewhere."""
    folder.mkdir()
    text_dir.mkdir()
    for article in articles:
        lines = [f"T{n}\t{span.label} {span.start} {span.end}\t{article.surface(span)}\n" for n, span in enumerate(article.spans)]
        (folder / f"{article.id}.ann").write_text("".join(lines), encoding="utf-8")
        (text_dir / f"{article.id}.txt").write_text(article.text, encoding="utf-8")
    return folder


# train and evaluate


@pytest.mark.parametrize("fixture", RUNS)
def test_evaluation_on_dev_repeats_what_training_reported(request, copy_run, fixture):
    run = copy_run(request.getfixturevalue(fixture))
    reported, predicted = run.metrics("dev"), run.articles("predictions", "dev")
    evaluate(run, "split=dev")
    assert {**run.metrics("dev"), "seconds": 0} == {**reported, "seconds": 0}
    assert run.articles("predictions", "dev") == predicted
    assert reported["strict"]["micro"]["tp"] > 0


@pytest.mark.parametrize("fixture", RUNS)
def test_the_files_of_a_run(request, copy_run, fixture):
    run = copy_run(request.getfixturevalue(fixture))
    baseline = {"lookup_run": {"lookup.json"}, "tfidf_run": {"tfidf.skops"}}.get(fixture)
    trained = {f"checkpoint/{name}" for name in (*(baseline or CHECKPOINT), "README.md")} | {"report.html"}
    trained |= {".lock", "run.json", "calibration.json", "metrics/dev.json", "gold/dev.jsonl", "predictions/dev.jsonl", "errors/dev.jsonl"}
    trained |= {"surfaces.json"} if fixture in ("ner_run", "lookup_run") else set()
    trained |= set() if baseline else {"history.jsonl"}
    trained |= {"checkpoint/head.safetensors"} if fixture in ("ner_run", "topics_run") else set()
    assert files(run) == trained
    evaluate(run)
    assert files(run) == trained | {"metrics/test.json", "gold/test.jsonl", "predictions/test.jsonl", "errors/test.jsonl"}
    assert (run.info()["status"], run.metrics("test")["n_articles"]) == ("finished", 4)


def test_labelled_articles_of_every_format_get_the_same_scores(ner_run, copy_run, corpus, tmp_path):
    run = copy_run(ner_run)
    articles = list(read_articles(corpus))
    jsonl.write(articles, tmp_path / "same.jsonl")
    brat = write_brat(articles, tmp_path / "brat", tmp_path / "texts")
    evaluate(run, f"articles={corpus}")
    evaluate(run, f"articles={tmp_path / 'same.jsonl'}")
    evaluate(run, f"articles={brat}", f"text_dir={tmp_path / 'texts'}", "name=standoff")
    scores = [run.metrics(name)["strict"] for name in ("articles", "same", "standoff")]
    assert scores[0] == scores[1] == scores[2]
    assert scores[0]["micro"]["support"] == sum(len(article.spans) for article in articles)
    assert [article.id for article in run.articles("gold", "standoff")] == [article.id for article in articles]


@pytest.mark.parametrize("name", ["test.jsonl", "dev.jsonl", "*.jsonl"])
def test_other_articles_never_replace_the_scores_of_a_split(lookup_run, copy_run, tmp_path, name):
    run = copy_run(lookup_run)
    jsonl.write([Article("a", "Gao")], tmp_path / name.replace("*", "x"))
    with pytest.raises(InputError, match="choose one: name=NAME"):
        evaluate(run, f"articles={tmp_path / name}")
    evaluate(run, f"articles={tmp_path / name}", "name=mine")
    assert run.metrics("mine")["n_articles"] == 1


def test_what_the_head_cannot_hold_costs_recall_and_is_named(ner_run, copy_run, tmp_path):
    run = copy_run(ner_run)
    jsonl.write([Article("a", "Gaoland said", (Span(0, 3, "LOCATION"), Span(0, 7, "LOCATION")))], tmp_path / "in.jsonl")
    evaluate(run, f"articles={tmp_path / 'in.jsonl'}", "name=nested")
    metrics = run.metrics("nested")
    assert metrics["recall_ceiling"] == 0.5 and metrics["strict"]["micro"]["support"] == 2
    assert [lost["text"] for lost in metrics["ledger"]] == ["Gao"]


@pytest.mark.parametrize(
    ("row", "fixture", "message"),
    [
        ('"spans": [{"start": 0, "end": 3, "label": "LOCATOIN"}]', "ner_run", "in.jsonl:1: .*'LOCATOIN' on 'Gao' is not .*'LOCATION'"),
        ('"topics": ["bombings"]', "topics_run", "in.jsonl:1: .*'bombings' is not declared.*'bombing'"),
        ('"region": ["x"]', "topics_run", "in.jsonl:1: .*has no field 'topics'"),
    ],
)
def test_gold_that_the_run_does_not_know_is_refused(request, copy_run, tmp_path, row, fixture, message):
    run = copy_run(request.getfixturevalue(fixture))
    (tmp_path / "in.jsonl").write_text(f'{{"id": "a", "text": "Gao", {row}}}\n')
    with pytest.raises(InputError, match=message):
        evaluate(run, f"articles={tmp_path / 'in.jsonl'}")
    assert not run.metrics_path("in").exists()


def test_labels_left_out_on_purpose_are_not_scored(ner_run, copy_run, corpus):
    run = copy_run(ner_run)
    evaluate(run, f"articles={corpus}", "name=less", "drop_labels=[DATE]")
    assert run.metrics("less")["strict"]["per_label"]["DATE"]["support"] == 0


def test_the_latest_run_of_a_task(models, topics_run, ner_run, lookup_run, tfidf_run, monkeypatch):
    def newest(*runs):
        return max(runs, key=lambda run: (run.info()["started"], str(run.path))).path

    monkeypatch.chdir(models.parent)
    assert open_run("latest").path.resolve() == newest(ner_run, topics_run, lookup_run, tfidf_run)
    assert open_run("latest:topics").path.resolve() == newest(topics_run, tfidf_run)


@pytest.mark.parametrize("model", ["encoder", "tfidf"])
@pytest.mark.parametrize(("task", "kind"), [("task=region", "multi-class"), ("task=topics", "binary")])
def test_other_kinds_of_classes(train, corpus, tmp_path, task, kind, model):
    labels = ("+data.labels.attack=[attack]", "task.labels=${data.labels.attack}")
    binary = ("task.name=attack", "task.kind=binary", "task.field=attack", *labels)
    encoder = ("trainer.epochs=6", "trainer.learning_rate=1e-2", "trainer.head_learning_rate=1e-2")
    options = encoder if model == "encoder" else ("model=tfidf",)
    run = train(tmp_path / "models" / "run", task, *(binary if kind == "binary" else ()), *options)
    reported = run.metrics("dev")
    evaluate(run, "split=dev")
    assert run.metrics("dev")["strict"] == reported["strict"]
    assert predict([run], corpus, tmp_path / "out.jsonl") == 0
    for row in rows(tmp_path / "out.jsonl"):
        field = run.config().task.field
        labels, scores = row["labels"][field], row["scores"][field]
        assert field not in row  # the input's own answer is gone
        if kind == "binary":
            threshold = json.loads((run.path / "calibration.json").read_text())["best_f1"]["thresholds"]["attack"]
            assert labels == (["attack"] if scores["attack"] >= threshold else [])
        else:
            assert set(scores) == set(REGIONS) and sum(scores.values()) == pytest.approx(1, abs=1e-3)
            assert labels == [max(scores, key=scores.get)]


@pytest.mark.parametrize("fixture", ["topics_run", "tfidf_run"])
def test_fitted_thresholds_are_those_that_evaluation_and_prediction_apply(request, copy_run, corpus, tmp_path, fixture):
    run = copy_run(request.getfixturevalue(fixture))
    content = json.loads((run.path / "calibration.json").read_text())
    assert (content["schema_version"], content["fitted_on"], content["n_articles"]) == (2, "dev", 3)
    assert content["best_f1"]["thresholds"].keys() == content["best_f1"]["n_positives"].keys() == set(TOPICS)
    assert content["best_f1"]["global_labels"] == list(TOPICS)  # dev is small
    content["best_f1"]["thresholds"] = {"bombing": 0.0, "kidnapping": 1.1, "diplomacy": 0.0}
    (run.path / "calibration.json").write_text(json.dumps(content))
    evaluate(run, "split=dev")
    assert predict([run], corpus, tmp_path / "out.jsonl") == 0
    found = [article.labels["topics"] for article in run.articles("predictions", "dev")]
    found += [tuple(row["labels"]["topics"]) for row in rows(tmp_path / "out.jsonl")]
    assert set(found) == {("bombing", "diplomacy")}
    (run.path / "calibration.json").unlink()
    with pytest.raises(InputError, match=r"calibration.json: is missing"):
        evaluate(run)


def change_calibration(run, **changes) -> None:
    path = run.path / "calibration.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("fixture", RUNS)
def test_dev_is_read_once_in_training_and_its_scores_are_those_of_the_files(request, copy_run, fixture):
    run = copy_run(request.getfixturevalue(fixture))
    change_calibration(run, temperature=3.0)
    evaluate(run, "split=dev")
    part, task = run.metrics("dev")["calibration"], run.config().task
    assert part["temperature"] == 3.0
    assert part["before"] == request.getfixturevalue(fixture).metrics("dev")["calibration"]["before"]  # raw scores, whatever is applied
    items = scored_items(run.articles("gold", "dev"), run.articles("predictions", "dev"), task)
    assert part["n_items"] == len(items.score) > 0
    assert [row["n"] for row in part["after"]["bins"]] == bin_sums(items, 3)[..., 0].sum(axis=0).tolist()
    assert all(score == round(score, 4) for score in items.score)


@pytest.mark.parametrize("fixture", RUNS)
def test_thresholds_are_fitted_anew_for_another_precision(request, copy_run, fixture, caplog):
    run = copy_run(request.getfixturevalue(fixture))
    before, reported = json.loads((run.path / "calibration.json").read_text()), run.metrics("dev")
    assert before["target_precision"]["target"] == 0.9
    (run.path / "calibration.json").unlink()  # lost: the way out that the message names
    with caplog.at_level(logging.INFO):
        evaluate(run, "split=dev", "target_precision=0.5")
    after = json.loads((run.path / "calibration.json").read_text())
    assert after["target_precision"]["target"] == 0.5 and "for precision 0.5" in caplog.text
    assert {**after, "target_precision": 0} == {**before, "target_precision": 0}
    assert {**run.metrics("dev"), "seconds": 0} == {**reported, "seconds": 0}


def test_fixed_thresholds_are_one_half(train, copy_run, tmp_path):
    run = train(tmp_path / "models" / "run", "model=tfidf", "task=topics", "task.thresholds=fixed")
    assert json.loads((run.path / "calibration.json").read_text())["best_f1"] is None
    for article in run.articles("predictions", "dev"):
        assert article.labels["topics"] == tuple(label for label, score in article.scores["topics"].items() if score >= 0.5)


def test_near_duplicates_of_what_was_learnt_are_listed_with_the_scores(lookup_run, copy_run, corpus, tmp_path):
    run = copy_run(lookup_run)
    assert run.metrics("dev")["near_duplicates"] == []
    learnt = sorted(name for name, split in read_splits(corpus / "splits.csv").items() if split == "train")[0]
    copy = next(article for article in read_articles(corpus) if article.id == learnt)
    jsonl.write([replace(copy, id="x", text=copy.text + "\nMore."), Article("y", "Gao")], tmp_path / "in.jsonl")
    evaluate(run, f"articles={tmp_path / 'in.jsonl'}")
    (row,) = run.metrics("in")["near_duplicates"]
    assert {**row, "similarity": 0} == {"id": "x", "split": "in", "of": learnt, "of_split": "train", "similarity": 0}
    assert 0.7 <= row["similarity"] < 1


# predict


@pytest.fixture
def mixed_input(corpus, tmp_path) -> Path:
    """A folder with plain text, Markdown with and without marks, and JSONL."""
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    (folder / "b.txt").write_text("A bomb exploded in Gao on Monday.\r\n")
    (folder / "below" / "c.md").write_text("# Talks\n\nEnvoys met Amina Sow in Quetta.\n")
    (folder / "d.md").write_text((corpus / "art-00.md").read_text())
    (folder / "e.jsonl").write_text('{"id": 7, "text": "Gao", "url": "x"}\n\n{"id": "é", "text": ""}\n', encoding="utf-8")
    return folder


def test_several_runs_read_articles_of_every_format(ner_run, topics_run, mixed_input, tmp_path, capsys):
    assert predict([ner_run, topics_run], mixed_input, tmp_path / "out.jsonl") == 0
    found = rows(tmp_path / "out.jsonl")
    assert [row["id"] for row in found] == ["b", "below/c", "art-00", "7", "é"]
    assert [row["text"] for row in found[:1] + found[3:]] == ["A bomb exploded in Gao on Monday.\r\n", "Gao", ""]
    assert found[3]["url"] == "x"
    assert all({"spans", "labels", "scores"} <= row.keys() for row in found)
    spans = [(row["text"], span) for row in found for span in row["spans"]]
    assert spans
    for text, span in spans:
        assert span["text"] == text[span["start"] : span["end"]] and 0 < span["score"] <= 1
    assert "5 read: 5 predicted, 0 rejected" in capsys.readouterr().out


def test_an_input_of_all_endings_that_holds_the_output(lookup_run, tmp_path, capsys):
    text = "A bomb exploded in Gao on Monday."
    table = pa.table({"body": [text], "when": [datetime.date(2021, 3, 4)]})
    pq.write_table(table, tmp_path / "p.parquet")
    files = {
        "a.jsonl": f'{{"body": "{text}", "text": "short"}}', "c.csv.gz": gzip.compress(f"body,n\n{text},1\nragged\n".encode()),
        "h.html": f"<html><body><p>{text}</p></body></html>", "out.jsonl.old.txt": "x", "t.txt": text, "u.pdf": "x",
    }  # fmt: skip
    write_files(tmp_path, files)
    output = tmp_path / "out.jsonl"
    options = ("text_field=body", "overwrite=true", "max_chars=100")
    for _ in range(2):  # the second time there is an output
        assert predict([lookup_run], tmp_path, output, *options) == 0
        found = rows(output)
        assert [row["id"] for row in found] == ["a:1", "c:2", "h", "p:1", "t"]
        assert {row["text"] for row in found} == {text}
        assert (found[0]["input_text"], found[1]["n"], found[3]["when"]) == ("short", "1", "2021-03-04")
        assert "6 read: 5 predicted, 1 rejected" in capsys.readouterr().out
    assert [(Path(row["file"]).name, row["line"]) for row in rows(tmp_path / "out.jsonl.rejected.jsonl")] == [("c.csv.gz", 3)]


@pytest.fixture
def bad_input(mixed_input) -> Path:
    (mixed_input / "a.txt").write_bytes(b"\xe9t\xe9")
    with (mixed_input / "e.jsonl").open("a") as lines:
        lines.write("{not json}\n")
    return mixed_input


def test_what_cannot_be_read_is_rejected(topics_run, bad_input, tmp_path, capsys):
    output = tmp_path / "out.jsonl"
    assert predict([topics_run], bad_input, output) == 0
    rejected = rows(tmp_path / "out.jsonl.rejected.jsonl")
    assert [(Path(row["file"]).name, row["line"]) for row in rejected] == [("a.txt", 1), ("e.jsonl", 4)]
    assert "not UTF-8" in rejected[0]["reason"] and "not JSON" in rejected[1]["reason"]
    assert len(rows(output)) == 5
    assert "7 read: 5 predicted, 2 rejected" in capsys.readouterr().out


def test_strict_stops_at_the_first_row_that_cannot_be_read(topics_run, bad_input, tmp_path):
    with pytest.raises(InputError, match=r"a.txt:1: not UTF-8"):
        predict([topics_run], bad_input, tmp_path / "out.jsonl", "strict=true")
    assert not (tmp_path / "out.jsonl").exists()


def test_nothing_readable_is_a_failure(topics_run, bad_input, tmp_path):
    assert predict([topics_run], bad_input / "a.txt", tmp_path / "out.jsonl") == 1
    assert len(rows(tmp_path / "out.jsonl.rejected.jsonl")) == 1


def test_what_scores_too_low_is_left_out_and_counted(ner_run, tfidf_run, corpus, tmp_path, capsys):
    runs = [ner_run, tfidf_run]
    predict(runs, corpus, tmp_path / "all.jsonl")
    assert "left out" not in capsys.readouterr().out
    found = rows(tmp_path / "all.jsonl")
    scores = sorted(span["score"] for row in found for span in row["spans"])
    least = scores[len(scores) // 2]
    predict(runs, corpus, tmp_path / "sure.jsonl", f"min_score={least}")
    shown = capsys.readouterr().out
    n_left_out = 0
    for row, sure in zip(found, rows(tmp_path / "sure.jsonl"), strict=True):
        assert sure["spans"] == [span for span in row["spans"] if span["score"] >= least]
        assert sure["labels"]["topics"] == [label for label in row["labels"]["topics"] if row["scores"]["topics"][label] >= least]
        assert sure["scores"] == row["scores"]
        n_left_out += len(row["spans"]) - len(sure["spans"]) + len(row["labels"]["topics"]) - len(sure["labels"]["topics"])
    assert n_left_out > 0 and f", {n_left_out} mentions or labels (" in shown and f") left out below min_score={least};" in shown


def test_calibrated_thresholds_leave_out_by_label_and_what_reaches_none_is_not_given(ner_run, copy_run, corpus, tmp_path, capsys, caplog):
    run = copy_run(ner_run)
    aimed = json.loads((run.path / "calibration.json").read_text())["target_precision"]
    thresholds = {"PERSON": 0.0, "ARMED_GROUP": 1.1, "LOCATION": 0.0, "DATE": None}
    change_calibration(run, target_precision={**aimed, "thresholds": thresholds, "not_reached": ["DATE"]})
    predict([run], corpus, tmp_path / "all.jsonl")
    capsys.readouterr()
    predict([run], corpus, tmp_path / "out.jsonl", "min_score=calibrated")
    kept = [[span for span in row["spans"] if span["label"] in ("PERSON", "LOCATION")] for row in rows(tmp_path / "all.jsonl")]
    assert [row["spans"] for row in rows(tmp_path / "out.jsonl")] == kept and any(kept)
    n_all = sum(len(row["spans"]) for row in rows(tmp_path / "all.jsonl"))
    assert f", {n_all - sum(map(len, kept))} mentions or labels (" in capsys.readouterr().out
    assert "no score gives a precision of 0.9 for DATE" in caplog.text and "split=dev target_precision=0.81" in caplog.text


def test_a_field_of_exactly_one_label_keeps_it_whatever_its_score(train, corpus, tmp_path, capsys):
    run = train(tmp_path / "models" / "run", "model=tfidf", "task=region")
    for least in ("1", "calibrated"):
        predict([run], corpus, tmp_path / f"{least}.jsonl", f"min_score={least}")
        assert all(len(row["labels"]["region"]) == 1 for row in rows(tmp_path / f"{least}.jsonl"))
        assert f"0 mentions or labels left out below min_score={least};" in capsys.readouterr().out


def test_a_job_that_was_cut_off_goes_on_with_the_same_min_score_only(lookup_run, tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": 1, "text": "Paul Okoro"}\n' * SHARD_ARTICLES + "{not json}\n")
    with pytest.raises(InputError):
        predict([lookup_run], source, output, "strict=true", "min_score=0.5")
    for other in ("0.6", "null", "calibrated"):
        with pytest.raises(InputError, match="the unfinished output of another job"):
            predict([lookup_run], source, output, f"min_score={other}")
    assert predict([lookup_run], source, output, "min_score=0.5") == 0


def test_a_job_that_was_cut_off_goes_on(ner_run, topics_run, tmp_path, capsys):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    told = "Envoy {} of the Red Banner met Paul Okoro in Gao."
    source.write_text("".join(f'{{"id": {n}, "text": "{told.format(n)}"}}\n' for n in range(SHARD_ARTICLES + 9)))
    runs = [ner_run, topics_run]
    predict(runs, source, output)
    whole = output.read_bytes()
    output.unlink()
    with source.open("a") as lines:
        lines.write("{not json}\n")
    with pytest.raises(InputError):
        predict(runs, source, output, "strict=true")
    partial = tmp_path / "out.jsonl.partial"
    assert 0 < partial.stat().st_size < len(whole)
    partial.write_bytes(partial.read_bytes() + b'{"id": "129')  # as a killed process may leave it, in the middle of a line
    predict(runs, source, output)
    assert output.read_bytes() == whole
    assert "of them before this run" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"exists and is finished"):
        predict(runs, source, output)
    assert predict(runs[:1], source, output, "overwrite=true") == 0
    assert "scores" not in rows(output)[0]


@pytest.mark.parametrize(
    ("which", "output", "message"),
    [(["ner_run", "lookup_run"], "out.jsonl", "two runs of the same task"), (["ner_run"], "out.txt", "the ending must be .jsonl")],
)
def test_what_predict_refuses(request, corpus, tmp_path, which, output, message):
    with pytest.raises(InputError, match=message):
        predict([request.getfixturevalue(fixture) for fixture in which], corpus, tmp_path / output)


# compare


def test_compare_the_baseline_with_an_encoder(ner_run, lookup_run, copy_run, capsys):
    runs = [copy_run(run) for run in (lookup_run, ner_run)]
    for run in runs:
        evaluate(run)
    capsys.readouterr()
    assert jobs.compare(compose("compare", f"runs=[{runs[0].path},{runs[1].path}]")) == 0
    shown = capsys.readouterr().out
    assert f"A  {runs[0].path}" in shown and f"B  {runs[1].path}" in shown and "B - A" in shown
    for run in runs:
        assert f"{100 * run.metrics('test')['strict']['micro']['f1']:.1f}" in shown
    by_glob = compose("compare", f"runs={runs[0].path.parents[1]}/*/*")
    assert jobs.compare(by_glob) == 0


def test_a_comparison_is_written_and_fails_where_the_later_run_is_worse(ner_run, copy_run, tmp_path, caplog):
    worse = copy_run(ner_run)
    gold = worse.articles("gold", "dev")
    save_evaluation(worse, "dev", gold, [article.bare() for article in gold], worse.config().task, seconds=1.0)
    f1 = 100 * ner_run.metrics("dev")["strict"]["micro"]["f1"]

    def compare(*runs, **options):
        arguments = [f"{key}={value}" for key, value in options.items()]
        return jobs.compare(compose("compare", f"runs=[{runs[0].path},{runs[1].path}]", "name=dev", *arguments))

    assert compare(worse, ner_run, output=tmp_path / "out", fail_below=0) == 0
    written = json.loads((tmp_path / "out/comparison.json").read_text())
    assert written["schema_version"] == 1
    assert 100 * written["differences"][0]["rows"]["micro"]["value"] == pytest.approx(f1)
    assert str(worse.path) in (tmp_path / "out/comparison.html").read_text()
    assert compare(ner_run, worse, fail_below=-100) == 0
    assert "fail_below" not in caplog.text
    assert compare(ner_run, worse, fail_below=0) == 1
    assert f"B - A is -{f1:.1f} points of micro F1, below fail_below=0" in caplog.text
    with pytest.raises(InputError, match=r"output=.*page.html: name a folder"):
        compare(ner_run, worse, output=tmp_path / "page.html")


def test_where_a_comparison_cannot_be_written_it_does_not_begin(lookup_run, tmp_path):
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "below", "/proc/none"):
        with pytest.raises(InputError, match=f"output={output}: .*; name a folder that can be written"):
            jobs.compare(compose("compare", f"runs=[{lookup_run.path}]", f"output={output}"))
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(InputError, match="two or more"):  # a dot is no ending of a file
        jobs.compare(compose("compare", f"runs=[{lookup_run.path}]", "name=dev", f"output={tmp_path / 'out.v2'}"))


def test_of_a_glob_runs_without_the_scores_or_unfinished_are_left_out_and_named(lookup_run, tmp_path, capsys, caplog):
    runs = [Run(shutil.copytree(lookup_run.path, tmp_path / "models" / name)) for name in "abcde"]
    runs[2].metrics_path("dev").unlink()
    runs[3].note(status="running")
    (runs[4].path / "run.json").write_text("")
    assert jobs.compare(compose("compare", f"runs={tmp_path}/models/*", "name=dev")) == 0
    shown = capsys.readouterr().out
    assert all((str(run.path) in shown) == (run in runs[:2]) for run in runs)
    assert "3 of 5 left out" in caplog.text and all(str(run.path) in caplog.text for run in runs[2:])
    with pytest.raises(InputError, match="has no scores named 'dev'"):
        jobs.compare(compose("compare", f"runs=[{runs[0].path},{runs[2].path}]", "name=dev"))


def test_scores_of_what_was_learnt_are_called_so(lookup_run, copy_run, caplog):
    run = copy_run(lookup_run)
    evaluate(run, "split=train")
    assert run.metrics("train")["near_duplicates"] is None and "the model learnt from these articles" in caplog.text


def test_names_that_no_file_could_bear_are_refused(lookup_run, copy_run, tmp_path):
    run = copy_run(lookup_run)
    jsonl.write([Article("a", "Gao")], tmp_path / f"{'n' * 201}.jsonl")
    with pytest.raises(InputError, match=r"200 bytes the most.*choose one: name=NAME"):
        evaluate(run, f"articles={tmp_path / ('n' * 201)}.jsonl")
    with pytest.raises(InputError, match="200 bytes are the most"):
        evaluate(run, f"articles={tmp_path}", f"name={'n' * 201}")
    evaluate(run, f"articles={tmp_path / ('n' * 201)}.jsonl", f"name={'n' * 200}")


def test_compare_the_baseline_of_a_class_field_with_an_encoder(tfidf_run, topics_run, capsys):
    assert jobs.compare(compose("compare", f"runs=[{tfidf_run.path},{topics_run.path}]", "name=dev")) == 0
    shown = capsys.readouterr().out
    assert "bombing" in shown and "B - A" in shown


def test_runs_that_were_scored_on_different_articles_are_not_compared(ner_run, lookup_run, topics_run, copy_run, corpus, tmp_path):
    lookup, encoder = copy_run(lookup_run), copy_run(ner_run)
    compare = compose("compare", f"runs=[{lookup.path},{encoder.path}]", "name=extra")
    with pytest.raises(InputError, match=r"no scores named 'extra'.*name=extra"):
        jobs.compare(compare)
    evaluate(lookup, f"articles={corpus}", "name=extra")
    evaluate(encoder, f"articles={write_corpus(tmp_path / 'other', seed=9)}", "name=extra")
    with pytest.raises(InputError, match=r"data of 'extra' differ"):
        jobs.compare(compare)
    with pytest.raises(InputError, match=r"task differ"):
        jobs.compare(compose("compare", f"runs=[{lookup.path},{topics_run.path}]", "name=dev"))


# data


def test_a_split_is_made_once_and_kept_beside_the_data(train, corpus_copy, tmp_path):
    first = train(tmp_path / "1", "model=lookup", *own_data(corpus_copy))
    splits = read_splits(corpus_copy / "splits.csv")
    assert set(splits.values()) == {"train", "dev", "test"} and len(splits) == 20
    again = train(tmp_path / "2", "model=lookup", *own_data(corpus_copy), "data.split_seed=99")
    assert read_splits(corpus_copy / "splits.csv") == splits
    assert first.articles("gold", "dev") == again.articles("gold", "dev")
    assert {article.id for article in first.articles("gold", "dev")} == {name for name, split in splits.items() if split == "dev"}


def test_articles_that_changed_since_training_are_scored_with_a_warning(train, corpus_copy, tmp_path, caplog):
    run = train(tmp_path / "1", "model=lookup", *own_data(corpus_copy))
    with (corpus_copy / "art-00.md").open("a") as article:
        article.write("One more line.\n")
    with caplog.at_level(logging.WARNING):
        evaluate(run)
    assert "has changed since the run was trained" in caplog.text


def test_annotate_extends_a_split_and_counts_labels(corpus_copy, capsys):
    split, counts = (compose("annotate", f"action={action}", *own_data(corpus_copy)) for action in ("split", "counts"))
    assert jobs.annotate(split) == 0
    before = read_splits(corpus_copy / "splits.csv")
    new = (corpus_copy / "art-00.md").read_text().replace("id: art-00", "id: new").replace("[", "[New ", 1)
    (corpus_copy / "new.md").write_text(new)
    assert jobs.annotate(split) == 0
    assert "20 articles kept, 1 added" in capsys.readouterr().out
    after = read_splits(corpus_copy / "splits.csv")
    assert before.items() < after.items() and after.keys() - before.keys() == {"new"}
    hidden = corpus_copy / "art-01.md"
    text = hidden.read_text()
    hidden.unlink()
    assert jobs.annotate(split) == 0
    assert read_splits(corpus_copy / "splits.csv") == after  # absent today, back tomorrow
    hidden.write_text(text)
    assert jobs.annotate(counts) == 0
    shown = {line.split("│")[1].strip(): line.split("│")[-2].strip() for line in capsys.readouterr().out.splitlines() if "│" in line}
    articles = list(read_articles(corpus_copy))
    assert shown["articles"] == "21" and shown["topics=bombing"] == str(sum("bombing" in article.classes("topics") for article in articles))


def test_annotate_counts_a_split_by_file_and_makes_none(tmp_path, capsys):
    for name, n_rows in (("train", 3), ("dev", 2), ("test", 1)):
        (tmp_path / f"{name}.tsv").write_text("Rain.\t1\t0\n" * n_rows)
    options = ("data=own", f"data.path={tmp_path}", "data.format=indicators", "data.split_by=file", "data.labels.topics=[label_1,label_2]")
    assert jobs.annotate(compose("annotate", "action=counts", *options)) == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert ["topics=label_1", "3", "2", "1", "6"] in rows
    with pytest.raises(InputError, match="takes the split from the file names"):
        jobs.annotate(compose("annotate", "action=split", *options))
    with pytest.raises(InputError, match="missing: no such file, expected with SHA-256"):
        jobs.annotate(compose("annotate", *options, f"+data.sha256.missing={'a' * 64}"))
