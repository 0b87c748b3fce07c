"""spaCy's DocBin: as spaCy reads what we write, and as we read what others made."""

import pytest
import spacy
from factories import make_article, refused, write_files
from spacy.tokens import DocBin, Span

from sitrep.articles import Article
from sitrep.articles import Span as Mention
from sitrep.formats import read_articles, write_articles
from sitrep.formats.faults import EMPTY, Losses


@pytest.fixture
def nlp():
    return spacy.blank("en")


def save(path, *docs, **options):
    DocBin(docs=docs, **options).to_disk(path)
    return path


def test_spacy_finds_mentions_classes_and_text(tmp_path, nlp):
    text = "\n In  Gao-City  rain\u00a0fell. 🚁\n"
    spans = (Mention(6, 9, "PLACE", 0.5), Mention(6, 14, "TOWN"), Mention(8, 11, "ODD"), Mention(9, 10, "DASH"), Mention(14, 16, "GAP"))
    article = Article("a", text, spans, {"topics": ("bombing",)}, {"topics": {"drone": 0.25}}, {"region": ["sahel"], "title": "T"})
    write_articles([article], tmp_path / "a.spacy")
    (doc,) = DocBin().from_disk(tmp_path / "a.spacy").get_docs(nlp.vocab)
    assert doc.text == text
    assert [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] == [(6, 14, "TOWN"), (14, 16, "GAP")]
    assert [(span.start_char, span.end_char, span.label_) for span in doc.spans["sc"]] == [(s.start, s.end, s.label) for s in spans]
    assert doc.spans["sc"].attrs["scores"] == [0.5, None, None, None, None]
    assert doc.cats == {"topics=bombing": 1.0, "topics=drone": 0.25, "region=sahel": 1.0}
    assert [token.text for token in doc if token.is_space] == ["\n ", " ", "  ", "\u00a0", "\n"]


def test_ents_and_cats_of_others(tmp_path, nlp):
    doc = nlp("Rain in Gao City.")
    doc.ents = [Span(doc, 2, 4, label="TOWN")]
    doc.cats = {"topics=flood": 0.75, "topics=war": 0.25, "news": 1.0, "sport": 0.0}
    (article,) = read_articles(save(tmp_path / "x.spacy", doc))
    assert article == Article(
        "x:1", doc.text, (Mention(8, 16, "TOWN"),), {"topics": ("flood",), "cats": ("news",)}, {"topics": {"flood": 0.75, "war": 0.25}}
    )


def test_a_group_of_spans_and_ents_are_joined(tmp_path, nlp):
    doc = nlp("Rain in Gao City.")
    doc.ents = [Span(doc, 2, 4, label="TOWN"), Span(doc, 0, 1, label="RAIN")]
    doc.spans["any"] = [Span(doc, 2, 4, label="TOWN"), Span(doc, 3, 4, label="CITY")]
    (article,) = read_articles(save(tmp_path / "x.spacy", doc))
    assert [(article.surface(span), span.label) for span in article.spans] == [("Gao City", "TOWN"), ("City", "CITY"), ("Rain", "RAIN")]


def test_of_several_groups_sc_is_read_and_the_others_are_lost(tmp_path, nlp):
    one, two = nlp("Gao"), nlp("Mali")
    for key in ("sc", "coref"):
        one.spans[key] = [Span(one, 0, 1, label=key)]
    two.spans["a"] = two.spans["b"] = [Span(two, 0, 1, label="X")]
    one.user_data["by"] = "x"
    path, losses, rejected = save(tmp_path / "x.spacy", one, two, store_user_data=True), Losses(keep=9), []
    (article,) = read_articles(path, lose=losses, reject=rejected.append)
    assert [span.label for span in article.spans] == ["sc"]
    assert losses.counts == {"groups of spans": 1, "user data": 1}
    assert [str(error) for error in rejected] == [f"{path}:2: 2 groups of spans (a, b), and none is called 'sc'; call one so"]


@pytest.mark.parametrize("own", ["[]", "7", '{"id": "a"}', '{"id": "a", "labels": [], "scores": {}, "extra": {}}', "{"])
def test_user_data_that_is_not_ours_is_a_reject(tmp_path, nlp, own):
    docs = nlp("Rain"), nlp("Wind")
    docs[0].user_data["sitrep"] = own
    path, rejected = save(tmp_path / "x.spacy", *docs, store_user_data=True), []
    found = [article.text for article in read_articles(path, reject=rejected.append)]
    assert (found, [error.source.line for error in rejected]) in ((["Wind"], [1]), (["Rain", "Wind"], []))
    assert bool(rejected) == (own != "[]")  # nothing is no fault


def test_empty_spans_are_faults(tmp_path, nlp):
    doc = nlp("Rain fell")
    doc.spans["sc"] = [Span(doc, 1, 1, label="X"), Span(doc, 0, 1, label="Y")]
    path, faults = save(tmp_path / "x.spacy", doc), []
    (article,) = read_articles(path, report=faults.append)
    assert [span.label for span in article.spans] == ["Y"] and [fault.kind for fault in faults] == [EMPTY]
    with refused(f"{path}:1: ", "action=check"):
        list(read_articles(path))


@pytest.mark.parametrize("content", [b"", b"not packed", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_what_is_no_docbin_is_refused(tmp_path, content):
    write_files(tmp_path, {"x.spacy": content})
    with refused(f"{tmp_path / 'x.spacy'}:1: cannot be read as spaCy's DocBin from document 1 on"):
        list(read_articles(tmp_path / "x.spacy"))


def test_without_spacy_the_error_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spacy", None)
    with refused("needs spaCy", "pip install 'sitrep[spacy]'"):
        write_articles([make_article()], tmp_path / "a.spacy")
    assert not list(tmp_path.iterdir())
