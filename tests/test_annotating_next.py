"""annotate.py action=next as a whole job with tiny models."""

import json
import logging
import re

import pytest
from factories import refused
from tiny import compose, write_corpus

from sitrep import jobs
from sitrep.annotating.next import why
from sitrep.articles import Article, Span
from sitrep.formats import read_articles


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    """Articles without labels: new ones, one that is in the corpus of the runs by id, and one by text."""
    folder = tmp_path_factory.mktemp("pool")
    texts = [article.text for article in read_articles(write_corpus(folder / "marked", 12, seed=5))]
    old = [article.text for article in read_articles(write_corpus(folder / "old", 20))]  # as the fixture `corpus` has them
    rows = [{"id": f"new-{n}", "text": text + f" Rain number {n} fell."} for n, text in enumerate(texts[:11])]
    rows += [
        {"id": "art-03", "text": "Another text."},
        {"id": "copy", "text": old[19]},
        {"id": "new-0", "text": "Twice."},
        {"id": "e", "text": " "},
    ]
    path = folder / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no json\n", encoding="utf-8")
    return path


def choose(runs, pool, *arguments: str) -> int:
    names = ",".join(str(run.path) for run in runs)
    return jobs.annotate(compose("annotate", "action=next", f"run=[{names}]", f"input={pool}", "device=cpu", *arguments))


def test_articles_are_chosen_explained_and_written_in_order(ner_run, topics_run, unlabelled, tmp_path, capsys, caplog):
    output = tmp_path / "next.jsonl"
    with caplog.at_level(logging.WARNING):
        assert choose([ner_run, topics_run], unlabelled, "n=4", f"output={output}") == 0
    said = caplog.text
    for fragment in (
        "1 labelled already (same id)",
        "1 labelled already (a near-duplicate)",
        "1 with the id of another",
        "1 empty",
        "not JSON",
    ):
        assert fragment in said
    chosen = list(read_articles(output))
    assert [article.extra["next"]["rank"] for article in chosen] == [1, 2, 3, 4]
    assert {article.id for article in chosen} <= {f"new-{n}" for n in range(11)}
    texts = {article.id: article.text for article in [*read_articles(unlabelled, reject=lambda _: None)][::-1]}  # of two ids the first
    for article in chosen:
        fact = article.extra["next"]
        assert article.text == texts[article.id]
        assert fact["words"] == len(article.text.split()) and 0 <= fact["distance"] <= 2
        assert all(span.score is not None for span in article.spans) and article.scores["topics"]
        assert f"of {len(article.spans)} mentions below 0.6" in fact["why"]
    worths = [article.extra["next"]["worth"] for article in chosen]
    assert worths == sorted(worths, reverse=True)
    out = capsys.readouterr().out
    words = sum(article.extra["next"]["words"] for article in chosen)
    assert re.search(rf"4 of 11 articles, {words} words", out) and chosen[0].id in out
    again = tmp_path / "again.jsonl"
    assert choose([ner_run, topics_run], unlabelled, "n=4", f"output={again}") == 0
    assert again.read_bytes() == output.read_bytes()


def test_what_labelling_costs_changes_the_choice_and_is_said(ner_run, unlabelled, capsys):
    for budget, said in (("words", "by what each would teach a word"), ("articles", "(each costs the same)")):
        assert choose([ner_run], unlabelled, "n=20", f"budget={budget}") == 0
        out = " ".join(capsys.readouterr().out.split())  # a long title is wrapped
        assert said in out and "11 of 11 articles" in out


def test_nothing_to_choose_from(ner_run, corpus, caplog):
    assert choose([ner_run], corpus) == 1
    assert "no article that is not labelled yet" in caplog.text


def test_what_is_refused(ner_run, lookup_run, tfidf_run, unlabelled, tmp_path):
    for run, kind in ((lookup_run, "lookup"), (tfidf_run, "tfidf")):
        with refused(f"a {kind} model", "give a run of an encoder"):
            choose([run], unlabelled)
    there = tmp_path / "there.jsonl"
    there.write_text("kept\n")
    with refused("is there already", "overwrite=true"):
        choose([ner_run], unlabelled, f"output={there}")
    assert there.read_text() == "kept\n"
    with refused("the ending says the format; choose .jsonl"):
        choose([ner_run], unlabelled, f"output={tmp_path / 'next.csv'}")
    with refused("n=0"):
        choose([ner_run], unlabelled, "n=0")
    with refused("budget='word'", "did you mean 'words'?"):
        choose([ner_run], unlabelled, "budget=word")


def test_the_reason_names_the_rarest_labels_first():
    taught = {(None, "PERSON"): 400, (None, "VEHICLE"): 40, (None, "DATE"): 300, ("topics", "raid"): 7, ("topics", "talks"): 9}
    spans = tuple(
        Span(n, n + 1, label, score) for n, (label, score) in enumerate([("PERSON", 0.5), ("VEHICLE", 0.4), ("DATE", 0.3), ("DATE", 0.9)])
    )
    read = Article("a", "xxxx", spans, {"topics": ()}, {"topics": {"raid": 0.45, "talks": 0.1}})
    assert why(read, 0.4, taught) == (
        "3 of 4 mentions below 0.6: 1 VEHICLE (40 in train), 1 DATE (300 in train); topics raid 0.45 (7 in train); distance 0.40"
    )
