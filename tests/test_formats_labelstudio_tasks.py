"""Tasks for Label Studio as they are written, and read again."""

import json
from dataclasses import replace
from xml.etree import ElementTree

from factories import make_article, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LABELS, articles, check_law

from sitrep.articles import Article, Span
from sitrep.formats import labelstudio, read_articles
from sitrep.formats.faults import Losses
from sitrep.formats.writing import Target

TEXT = "Gunmen in Gao shot."


def test_labels_that_the_config_cannot_hold_are_lost(tmp_path):
    lost = Losses(keep=9)
    odd = Article("a", TEXT, (Span(0, 6, "A\x01"), Span(10, 13, "B")), {"topics": ("x", "y\x02"), "text": ("z",)})
    labelstudio.write([odd], tmp_path / "a.json", Target(lost))
    (back,) = read_articles(tmp_path / "a.json")
    assert back.spans == (Span(10, 13, "B"),) and back.labels == {}
    assert lost.counts == {"mentions whose label holds control characters": 1, "class labels of topics": 1, "class labels of text": 1}


@settings(max_examples=100, deadline=None)
@given(written=st.lists(articles(fields=("topics", "région", "label")), max_size=4, unique_by=lambda article: article.id))
def test_the_law(tmp_path_factory, written):
    lost = check_law("labelstudio", written, tmp_path_factory.mktemp("law") / "tasks.json")
    fields = {f"class labels of {name}" for name in ("topics", "région", "label")}
    assert {loss.what for loss in lost} <= {"class scores", "mentions whose label holds control characters", *fields}


def test_what_is_written(tmp_path):
    hand = make_article("a", "In [Gao](LOCATION).", labels={"topics": ("air",)}, extra={"url": "u"})
    text = "In Gao, Mali."
    model = make_article("b", text, labels={"topics": ("air",)}, scores={"topics": {"air": 0.7, "sea": 0.1}})
    model = replace(model, spans=(Span(3, 6, "LOCATION", 0.9), Span(8, 12, "LOCATION", 0.8)))
    bare = make_article("c", text)
    path = tmp_path / "tasks.json"
    labelstudio.write([hand, model, bare], path, Target(Losses(), "sitrep-ner 3"))
    one, two, three = json.loads(path.read_text(encoding="utf-8"))
    assert one["data"] == {"id": "a", "text": "In Gao.", "url": "u"} and "predictions" not in one
    assert one["annotations"][0]["result"] == [
        {"id": "mention-1", "from_name": "label", "to_name": "text", "type": "labels",
         "value": {"start": 3, "end": 6, "text": "Gao", "labels": ["LOCATION"]}},
        {"id": "classes-1", "from_name": "topics", "to_name": "text", "type": "choices", "value": {"choices": ["air"]}},
    ]  # fmt: skip
    (prediction,) = two["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("sitrep-ner 3", 0.7) and "annotations" not in two
    assert [result.get("score") for result in prediction["result"]] == [0.9, 0.8, None]
    assert three == {"data": {"id": "c", "text": text}}
    config = ElementTree.fromstring((tmp_path / "tasks.json.config.xml").read_text(encoding="utf-8"))
    assert [label.get("value") for label in config.iter("Label")] == ["LOCATION"]
    (choices,) = config.iter("Choices")
    assert dict(choices.attrib) | {"name": "topics", "toName": "text", "choice": "multiple"} == dict(choices.attrib)


def test_the_config_holds_any_label_that_xml_can():
    config = ElementTree.fromstring(labelstudio.labelling_config({"entities": LABELS[:-1], "région": LABELS[:2]}))
    assert [label.get("value") for label in config.iter("Label")] == list(LABELS[:-1])
    assert [(choices.get("name"), [choice.get("value") for choice in choices]) for choices in config.iter("Choices")] == [
        ("région", list(LABELS[:2]))
    ]
    assert config.find("Text").attrib == {"name": "text", "value": "$text"}
    with refused("label 'a\\x01b'", "'\\x01'", "rename"):
        labelstudio.labelling_config({"entities": ["a\x01b"]})


def test_fields_that_json_cannot_hold_are_lost(tmp_path):
    lost = Losses(keep=9)
    labelstudio.write([make_article(extra={"when": object(), "n": float("nan"), "ok": 1})], tmp_path / "a.json", Target(lost))
    assert [loss.detail for loss in lost.kept] == ["when", "n"]
    assert next(iter(read_articles(tmp_path / "a.json"))).extra == {"ok": 1}
