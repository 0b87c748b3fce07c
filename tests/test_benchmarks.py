"""The arithmetic of the benchmarks: what their tables are computed from."""

import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import check_speed
import numpy as np
import plain_recipe
import predict_speed
import pytest
import quality
import scoring_speed
import simulations
import torch
from factories import ROOT, make_article, make_data, make_run, refused, train_options
from tiny import SMALL, compose, own_data
from torch.utils.flop_counter import FlopCounterMode
from train_speed import grouped_batches, linear_shapes, multiply_adds, padding, random_batches
from transformers import BertConfig, BertForTokenClassification

from sitrep.articles import Article, Span, fingerprint
from sitrep.config import TrainConfig, load
from sitrep.corpus import load_corpus
from sitrep.finding import MODELS
from sitrep.jobs import compare, evaluate, predict, train
from sitrep.matching import EXTRA, HIT, MISSED, strict
from sitrep.models import build_model, load_model
from sitrep.runs import Run
from sitrep.scoring import averages, ratios, score


@pytest.mark.parametrize("n_tokens", [16, 48])
def test_multiply_adds_are_half_the_operations_that_torch_counts(n_tokens):
    config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, num_labels=5)
    network = BertForTokenClassification(config)
    network.set_attn_implementation("eager")  # the counter sees through plain products only
    with FlopCounterMode(display=False) as counter:
        network(input_ids=torch.ones(1, n_tokens, dtype=torch.long)).logits.sum().backward()
    assert 2 * multiply_adds(network, n_tokens) == counter.get_total_flops()


def test_linear_layers_are_counted_by_shape():
    assert linear_shapes(torch.nn.Sequential(*(torch.nn.Linear(2, n) for n in (3, 5, 3)))) == {(2, 3): 2, (2, 5): 1}


@pytest.mark.parametrize(("batches", "expected"), [([[0, 1], [2]], 5 / 25), ([[0], [1, 2]], 0), ([[2, 1, 0]], 10 / 30)])
def test_padding_of_batches(batches, expected):
    assert padding([(1, 10), (1, 5), (1, 5)], batches) == pytest.approx(expected)


@pytest.mark.parametrize("n_rows", [1, 16, 100])
def test_every_row_stands_in_one_batch(n_rows):
    shapes = [(1, 3 + row % 40) for row in range(n_rows)]
    for batches in (random_batches(n_rows, 1), grouped_batches(shapes, 1)):
        assert sorted(row for batch in batches for row in batch) == list(range(n_rows))


def test_simulated_labels_have_the_f1_that_is_said():
    counts = simulations.simulate(np.random.default_rng(0), 20_000).sum(axis=1)
    averaged = {name: values[0, 2] for name, values in averages(counts).items()}
    found = {**{str(label): f1 for label, f1 in enumerate(ratios(counts)[0, :, 2])}, **averaged}
    assert found == pytest.approx(simulations.truth(), abs=0.02)


def test_simulated_models_read_the_same_articles():
    one, other = simulations.simulate(np.random.default_rng(0), 40, gains=(0.0, 0.0))
    marked = [counts[..., 0] + counts[..., 2] for counts in (one, other)]
    assert (marked[0] == marked[1]).all() and (one != other).any()


def test_simulations_are_printed_as_tables(capsys):
    simulations.main(["simulations=2"])
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "2 simulations, seed 1" and [line.split(" | ")[0] for line in lines if line.startswith("| 40")] == ["| 40 articles"] * 2
    )
    with pytest.raises(SystemExit, match="unknown: sims"):
        simulations.main(["sims=2"])


def test_the_mentions_whose_scoring_is_timed_are_as_said():
    gold, pred = scoring_speed.draw_articles(30, 40, np.random.default_rng(0))
    kinds = Counter(what for one, other in zip(gold, pred, strict=True) for _, what in strict(one, other))
    assert sum(len(article.spans) for article in gold) == sum(len(article.spans) for article in pred) == 1200
    assert kinds[HIT] / 1200 == pytest.approx(0.7, abs=0.04) and kinds[EXTRA] == kinds[MISSED] == 1200 - kinds[HIT]
    tags = scoring_speed.tags_of(gold)
    assert {len(row) for row in tags} == {len(gold[0].text)} and sum(tag[0] == "B" for row in tags for tag in row) == 1200


def test_the_speed_of_scoring_is_shown_beside_seqeval(capsys):
    scoring_speed.main(["articles=8", "mentions=5"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:2] for line in lines[2:5]] == [["| 2", "10"], ["| 4", "20"], ["| 8", "40"]]
    assert lines[-1].startswith("intervals of one rule, 8 articles, 10 labels, 10,000 resamples: ")
    with pytest.raises(SystemExit, match="unknown: article"):
        scoring_speed.main(["article=2"])


SOURCES = [
    make_article("a", "[Ali](PERSON) left [Gao](LOCATION).\n\nIn [Mopti](LOCATION) it rained."),
    make_article("b", "The [Red Front](ARMED_GROUP) came on foot."),
]


def test_the_articles_that_are_checked_are_made_of_others():
    assert [[label for _, label in pieces if label] for pieces in check_speed.paragraphs_of(SOURCES[0])] == [
        ["PERSON", "LOCATION"],
        ["LOCATION"],
    ]
    made = list(check_speed.draw_articles(SOURCES, 400, np.random.default_rng(0)))
    assert [article.id for article in made] == [str(n) for n in range(400)]
    surfaces = {source.surface(span) for source in SOURCES for span in source.spans}
    marked = [article.surface(span) for article in made for span in article.spans]
    slips = [surface for surface in marked if surface not in surfaces]
    assert len(slips) / len(marked) == pytest.approx(0.02, abs=0.015) and {surface[:-1] for surface in slips} <= surfaces
    assert any(later.text == f"{article.text} Again" for article, later in itertools.pairwise(made))


def test_the_speed_of_the_doctor_is_a_row_a_size(capsys):
    check_speed.main(["articles=20"])
    (row,) = capsys.readouterr().out.splitlines()[2:]
    assert row.startswith("| 20 | ")
    with pytest.raises(SystemExit, match="unknown option n"):
        check_speed.main(["n=20"])


SENTENCES = make_article("a", "[Amina](PERSON) left.  She saw [Gao](LOCATION).\n \nThen [Red Banner](ARMED_GROUP) came")


def test_sentences_of_the_plain_recipe_keep_their_mentions():
    sentences = plain_recipe.split_sentences(SENTENCES, plain_recipe.SENTENCE)
    assert [sentence.text.strip() for sentence in sentences] == ["Amina left.", "She saw Gao.", "Then Red Banner came"]
    assert [sentence.surface(span) for sentence in sentences for span in sentence.spans] == ["Amina", "Gao", "Red Banner"]
    assert all(SENTENCES.text[int(s.id) :].startswith(s.text) for s in sentences)


@pytest.mark.parametrize(("format", "n_sentences"), [(None, 3), ("conll", 1)])
def test_sentences_that_are_given_are_not_split(format, n_sentences):
    assert len(plain_recipe.split_sentences(SENTENCES, plain_recipe.sentence_rule(make_data(format=format)))) == n_sentences


def test_what_the_plain_recipe_cuts_is_neither_learnt_nor_found(encoder):
    config = plain_recipe.compose([*own_data(ROOT), *SMALL, "model=hub", f"model.path={encoder}", "model.head=softmax"])
    model = build_model(config.model, config.task)
    size = plain_recipe.n_readable(model.network)
    assert size == 62  # the tiny encoder reads 64 tokens
    article = Article("a", "x " * 80 + "\n" + "y " * 3, (Span(0, 1, "PERSON"), Span(150, 151, "PERSON"), Span(163, 164, "DATE")))
    rows = plain_recipe.training_rows(model, [article], plain_recipe.SENTENCE)
    learnt = [[model.network.tags.tags[tag] for tag in row["labels"] if tag > 0] for row in rows]
    assert [len(row["input_ids"]) for row in rows] == [64, 5] and learnt == [["B-PERSON"], ["B-DATE"]]
    tag = model.network.tags.tags.index("B-DATE")
    with torch.no_grad():  # every word is a date
        model.network.body.classifier.bias[tag] = 100
    (found,) = plain_recipe.predict(model, [article], plain_recipe.SENTENCE)
    assert [span.start for span in found.spans] == [*range(0, 2 * size, 2), 161, 163, 165]


@pytest.fixture
def plain_run(encoder, corpus, tmp_path, monkeypatch):
    """A run of the plain recipe, of one epoch."""
    monkeypatch.chdir(tmp_path)
    return Run(plain_recipe.main([*own_data(corpus), *SMALL, "model=hub", f"model.path={encoder}", "epochs=1", "seed=2"]))


def test_the_plain_recipe_leaves_a_run_with_what_it_did(plain_run, corpus):
    assert re.fullmatch(r"models/plain-own-hub/\d{8}-\d{6}-s2", str(plain_run.path))
    config, info = plain_run.config(), plain_run.info()
    assert (config.model.name, config.model.head, config.seed) == ("plain", "softmax", 2)
    assert (config.trainer.epochs, config.trainer.learning_rate, config.trainer.precision) == (1, 5e-5, "fp32")
    assert info["settings"] == {"unit": "sentence", "batch": 16, "max_tokens": 62}
    assert (info["status"], info["device"]) == ("finished", "cpu") and info["seconds"] > 0 and info["n_parameters"] > 1000
    articles = load_corpus(config.data, config.task)
    assert info["data_sha256"] == fingerprint(articles.articles)
    for name, gold in (("dev", articles.dev), ("test", articles.test)):
        metrics = plain_run.metrics(name)
        assert plain_run.articles("gold", name) == list(gold) and metrics["data_sha256"] == fingerprint(gold)
        assert metrics["strict"] == score(gold, plain_run.articles("predictions", name), config.task)["strict"]


def test_a_run_of_a_recipe_is_compared_and_not_loaded(plain_run, corpus, capsys):
    train(compose("train", *own_data(corpus), "model=lookup"), Path("models/own-ner-lookup/1"))
    evaluate(compose("evaluate", "run=latest"))
    assert compare(compose("compare", f"runs=[latest:ner,{plain_run.path}]")) == 0
    assert "plain-own-hub" in capsys.readouterr().out
    with refused("was made by benchmarks/plain_recipe.py", "no model", "compare.py"):
        evaluate(compose("evaluate", f"run={plain_run.path}"))
    with refused("was made by benchmarks/plain_recipe.py"):
        predict(compose("predict", f"run={plain_run.path}", f"input={corpus}", "output=found.jsonl"))


def test_a_recipe_that_fails_leaves_no_run(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with refused("model.path=nowhere"):
        plain_recipe.main([*own_data(corpus), "model=hub", "model.path=nowhere"])
    assert not list(tmp_path.rglob("run.json"))


def test_the_spacy_recipe_leaves_a_run_with_what_it_did(corpus, tmp_path, monkeypatch):
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed")
    import spacy_recipe

    monkeypatch.chdir(tmp_path)
    blank = spacy.blank("en")
    blank.add_pipe("ner").add_label("PERSON")
    blank.initialize()
    monkeypatch.setattr(spacy_recipe, "train_pipeline", lambda *_: blank)  # its own training takes minutes
    run = Run(spacy_recipe.main(own_data(corpus)))
    info = run.info()
    assert (info["status"], info["device"], run.config().model.name) == ("finished", "cpu", "spacy")
    assert info["settings"]["max_epochs"] == 0 and info["n_parameters"] > 1000
    assert run.metrics("test")["strict"]["micro"]["support"] == sum(len(article.spans) for article in run.articles("gold", "test"))


@pytest.fixture
def benchmarks_dir(tmp_path):
    """A folder with an empty folder for each public benchmark."""
    for row in quality.ROWS.values():
        if row.data:
            (tmp_path / "bench = é" / row.data).mkdir(parents=True, exist_ok=True)
    return tmp_path / "bench = é"


@pytest.mark.parametrize("name", quality.ROWS)
def test_every_row_of_quality_composes(name, benchmarks_dir):
    lines = quality.train_lines(name, str(benchmarks_dir))
    configs = [plain_recipe.compose(line) for line in lines]
    assert tuple(config.seed for config in configs) == quality.ROWS[name].seeds
    data = quality.ROWS[name].data
    assert {config.data.path for config in configs} == {str(benchmarks_dir / data) if data else "data/articles"}


def test_rows_without_their_data_are_skipped_and_said(tmp_path, capsys):
    assert quality.main(["satp"]) == 0
    assert quality.train_lines("re3d-crf", str(tmp_path)) == []
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        "satp: skipped, benchmarks_dir=DIR says where satp-relevant is",
        f"re3d-crf: skipped, no folder {tmp_path / 're3d-raw'}",
    ]
    assert shown.out.splitlines()[0].startswith("| row | seeds | commit | minutes |")


@pytest.mark.parametrize("argument", ["nre", "benchmark_dir=x", "reuse=yes"])
def test_misspelt_arguments_of_quality_are_refused(argument):
    with pytest.raises(SystemExit, match=argument.split("=")[0]):
        quality.main([argument])


CLEAN = {"commit": "c" * 40, "dirty": False}


@pytest.mark.parametrize(
    ("made_by", "checkout", "found"),
    [
        (CLEAN, CLEAN, True),
        (CLEAN, {**CLEAN, "commit": "d" * 40}, False),
        (CLEAN, {**CLEAN, "dirty": True}, False),
        ({**CLEAN, "dirty": True}, CLEAN, False),
        ({**CLEAN, "resumed": [CLEAN]}, CLEAN, True),
        ({**CLEAN, "resumed": [{**CLEAN, "commit": "d" * 40}]}, CLEAN, False),
        ({**CLEAN, "dirty": True}, None, True),
        ({**CLEAN, "data_sha256": "1" * 64}, None, False),
    ],
)
def test_runs_of_the_same_code_and_articles_are_reused(tmp_path, monkeypatch, made_by, checkout, found):
    monkeypatch.chdir(tmp_path)
    run = make_run(MODELS / "articles-ner-lookup" / "1", data__path="here")
    run.finish(seconds=1.0, **made_by)
    wanted = load(TrainConfig, train_options(data__path="elsewhere"))
    assert quality.find_run(wanted, "0" * 64, checkout) == (run if found else None)
    assert quality.find_run(replace(wanted, seed=2), "0" * 64, checkout) is None


def test_table_of_quality_has_means_and_deviations(tmp_path, capsys):
    gold = [make_article("1", "[Amina](PERSON) in [Gao](LOCATION).")]
    runs = [make_run(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    for run, pred, dirty in zip(runs, (gold, [make_article("1", "[Amina](PERSON) in Gao.")]), (False, True), strict=True):
        for name in ("dev", "test"):
            run.save_evaluation({"name": name, **score(gold, pred, run.config().task)}, gold, pred)
        run.finish(seconds=90.0, commit="c" * 40, dirty=dirty)
    quality.print_tables({"ner": runs})
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| ner | 1, 2 | `ccccccc` `ccccccc*` | 1.5 | 83.3 ± 23.6 | 75.0 ± 35.4 | 83.3 ± 23.6 | 75.0 ± 35.4 |  |"
    assert "| `LOCATION` | 50.0 ± 70.7 (1) | 50.0 ± 70.7 (1) |" in lines and "| `ARMED_GROUP` | n/a (0) | n/a (0) |" in lines


TEXTS = ["one\n\ntwo\n\nthree", "four\n\nfive"]


def test_articles_of_mixed_length_are_made_of_the_texts():
    articles = predict_speed.draw_articles(TEXTS, 40, np.random.default_rng(1))
    assert [article.id for article in articles] == [str(number) for number in range(40)]
    sizes = Counter(len(article.text.split("\n\n")) for article in articles)
    assert all(set(article.text.split("\n\n")) <= {"one", "two", "three", "four", "five"} for article in articles)
    assert sizes[1] >= 10 and sum(n for size, n in sizes.items() if size > 3) >= 10 and max(sizes) > 5


def test_joined_articles_hold_each_article_in_every_place():
    gold = [make_article(str(n), f"{'x ' * n}[Gao](LOCATION).") for n in range(4)]
    joined = predict_speed.join_by_threes(gold)
    assert len(joined) == 4 and joined[3].text == "x x x Gao.\n\nGao.\n\nx Gao."
    assert [[article.surface(span) for span in article.spans] for article in joined] == [["Gao"] * 3] * 4


def test_recall_is_counted_before_and_behind_the_cut(ner_run, monkeypatch):
    monkeypatch.setattr(predict_speed, "CUT", 6)  # four tokens of the article and two special ones
    windower = load_model(ner_run.checkpoint_path).network.windower
    article = Article("a", "in , . , in", (Span(0, 2, "PERSON"), Span(3, 4, "DATE"), Span(9, 11, "PERSON")))
    assert len(windower.encode([article])[0].token_ids) == 5
    assert predict_speed.recalls(windower, [article], [{(0, 2, "PERSON"), (9, 11, "PERSON")}]) == (0.5, 1)


def test_the_speed_of_reading_is_shown_beside_the_pipeline(ner_run, capsys, monkeypatch):
    monkeypatch.setattr(predict_speed, "CUT", 64)  # what the tiny encoder reads
    monkeypatch.setattr(predict_speed, "STRIDE", 16)
    predict_speed.main([f"run={ner_run.path}", f"student={ner_run.path}", "backends=torch", "n=4", "rounds=1", "threads=1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 articles, ") and " tokens; 1 rounds, 1 threads; product rate " in lines[0]
    rows = [line.split(" | ") for line in lines if line.startswith("| ")]
    assert {len(row) for row in rows[:5]} == {7}
    assert [row[0] for row in rows[1:3]] == ["| sitrep, torch", "| student, torch"]
    assert rows[3][0].startswith("| pipeline, whole articles") and rows[4][0].startswith("| pipeline, by par")
    assert [row[0] for row in rows[6:]] == ["| sitrep", "| pipeline that cuts"] and rows[-1][2] == "0.0 |"


@pytest.mark.parametrize(("fixture", "argument"), [("topics_run", "n=1"), ("lookup_run", "n=1"), ("ner_run", "rows=3")])
def test_the_speed_of_reading_is_measured_on_mentions(request, fixture, argument):
    with pytest.raises(SystemExit, match=r"task=ner|unknown: rows"):
        predict_speed.main([f"run={request.getfixturevalue(fixture).path}", argument])
