"""One round of labelling: predict, pre-annotate, correct in Label Studio, import, train, compare. Nothing is replaced but the person."""

import json

from factories import new_article
from tiny import compose, own_data

from sitrep import jobs
from sitrep.formats import read_articles
from sitrep.runs import Run
from sitrep.splits import read_splits

N_NEW = 6
QUICK = ("trainer.epochs=3", "trainer.learning_rate=2e-2", "trainer.head_learning_rate=2e-2")


def export_corrected(tasks, gold):
    """Return what Label Studio exports of `tasks` once somebody has corrected them: the person's regions, ours beside them."""
    regions = {
        article.id: [
            {
                "id": f"r{number}", "from_name": "label", "to_name": "text", "type": "labels", "origin": "manual",
                "value": {"start": span.start, "end": span.end, "text": article.surface(span), "labels": [span.label]},
            }
            for number, span in enumerate(article.spans)
        ]
        for article in gold
    }  # fmt: skip
    return [
        {
            **task, "id": 100 + number, "predictions": task["predictions"],
            "annotations": [{"id": number, "completed_by": 1, "was_cancelled": False, "result": regions[task["data"]["id"]]}],
        }
        for number, task in enumerate(tasks)
    ]  # fmt: skip


def annotate(*arguments):
    assert jobs.annotate(compose("annotate", *arguments)) == 0


def test_one_round(train, ner_run, corpus_copy, tmp_path, capsys):
    annotate("action=split", *own_data(corpus_copy))
    first = train(tmp_path / "models" / "first", *QUICK, *own_data(corpus_copy))
    gold = [new_article(n) for n in range(N_NEW)]
    for article in gold:
        (tmp_path / "new").mkdir(exist_ok=True)
        (tmp_path / "new" / f"{article.id}.txt").write_text(article.text)

    found, tasks_path, corrected = (tmp_path / name for name in ("found.jsonl", "tasks.json", "corrected.json"))
    assert jobs.predict(compose("predict", f"run={ner_run.path}", f"input={tmp_path / 'new'}", f"output={found}")) == 0
    annotate("action=convert", f"input={found}", f"output={tasks_path}", "predicted_by=tiny")
    tasks = json.loads(tasks_path.read_text())
    assert [task["data"]["id"] for task in tasks] == [article.id for article in gold]
    assert {prediction["model_version"] for task in tasks for prediction in task["predictions"]} == {"tiny"}
    assert any(prediction["result"] for task in tasks for prediction in task["predictions"])
    assert '<Label value="PERSON"/>' in tasks_path.with_name("tasks.json.config.xml").read_text()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

    corrected.write_text(json.dumps(export_corrected(tasks, gold)))
    labels = ("data.labels.topics=[]", "data.labels.region=[]")  # which nobody gave in this round
    before = read_splits(corpus_copy / "splits.csv")
    annotate("action=import", f"input={corrected}", f"predictions={found}", "split=train", *own_data(corpus_copy), *labels)
    assert f"{N_NEW} articles read: {N_NEW} new ({N_NEW} train)" in capsys.readouterr().out
    read = {article.id: article for article in read_articles(corpus_copy)}
    assert [(read[article.id].text, read[article.id].spans) for article in gold] == [(article.text, article.spans) for article in gold]
    assert before.items() < read_splits(corpus_copy / "splits.csv").items()

    second = train(tmp_path / "models" / "second", *QUICK, *own_data(corpus_copy))
    for run in (first, second):
        assert jobs.evaluate(compose("evaluate", f"run={run.path}")) == 0
    assert jobs.compare(compose("compare", f"runs=[{first.path},{second.path}]")) == 0
    assert "F1 of B minus F1 of A" in capsys.readouterr().out
    assert Run(second.path).info()["data_sha256"] != Run(first.path).info()["data_sha256"]
