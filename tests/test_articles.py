from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from factories import make_article, refused

from sitrep.articles import Article, Source, Span, fingerprint
from sitrep.formats import FORMATS, read_articles, write_articles


@pytest.mark.parametrize(("start", "end"), [(0, 0), (-1, 2), (3, 2), (0, 5), (4, 5)])
def test_span_outside_the_text_is_refused(start, end):
    with refused("news.jsonl:7: article 'x'", f"span LOCATION [{start}, {end})", "text of 4 characters", "code points"):
        Article("x", "Gao.", (Span(start, end, "LOCATION"),), source=Source("news.jsonl", 7))


def test_offsets_count_code_points():
    article = Article("x", "🚁 über غزة", (Span(7, 10, "LOCATION"),))
    assert article.surface(article.spans[0]) == "غزة"


@pytest.mark.parametrize(("is_text", "line"), [(True, 6), (False, 4)])
def test_where_names_the_line_of_a_span(is_text, line):
    article = make_article(marked="One.\n\nTwo in [Gao](LOCATION).", source=Source("a", 4, is_text))
    assert article.where(article.spans[0]) == f"a:{line}: article 'a'"
    assert article.where() == "a:4: article 'a'"


@pytest.mark.parametrize("format", [*sorted(name for name, module in FORMATS.items() if hasattr(module, "write")), "text"])
def test_readers_name_the_line_of_a_span_where_texts_stand_in_files_as_they_are(tmp_path, format):
    article = make_article("a", marked="One.\n\nTwo in [Gao](LOCATION).")
    if format == "text":
        (tmp_path / "out").write_text(article.text)
    else:
        write_articles([article], tmp_path / "out", format=format)
    (read,) = read_articles(tmp_path / "out", format=format)
    place = read.text.index("Gao")
    said = read.source_of(Span(place, place + 3, "LOCATION"))
    if format in ("annotated", "text"):
        assert "Gao" in Path(said.path).read_text().splitlines()[said.line - 1]
    else:
        assert said == read.source


@pytest.mark.parametrize(
    ("fields", "classes"),
    [
        ({"labels": {"topics": ("bombing",)}}, ("bombing",)),
        ({"labels": {"topics": [3]}}, ("3",)),
        ({"extra": {"topics": ["bombing", "kidnapping"]}}, ("bombing", "kidnapping")),
        ({"extra": {"topics": "bombing"}}, ("bombing",)),
        ({"extra": {"topics": True}}, ("True",)),
        ({"extra": {"topics": ""}}, ()),
        ({"extra": {"topics": []}}, ()),
        ({"extra": {"topics": None}}, None),
        ({}, None),
    ],
)
def test_classes_are_found_in_labels_or_at_top_level(fields, classes):
    assert make_article(**fields).classes("topics") == classes


def test_with_classes_replaces_the_field_wherever_it_stood():
    article = make_article(labels={"region": ("sahel",)}, extra={"topics": "bombing", "title": "T"})
    changed = article.with_classes("topics", ["kidnapping"], {"kidnapping": 0.9})
    assert changed.labels == {"region": ("sahel",), "topics": ("kidnapping",)}
    assert (changed.extra, changed.scores) == ({"title": "T"}, {"topics": {"kidnapping": 0.9}})
    assert article.labels == {"region": ("sahel",)}


def test_bare_hides_what_the_annotator_wrote():
    classes = {"labels": {"topics": ("bombing",)}, "scores": {"topics": {"bombing": 1.0}}}
    article = make_article(marked="In [Gao](LOCATION).", extra={"n": 1}, **classes)
    bare = article.bare()
    assert (bare.id, bare.text, bare.extra) == (article.id, article.text, article.extra)
    assert (bare.spans, bare.labels, bare.scores) == ((), {}, {})


def test_articles_are_frozen():
    with pytest.raises(FrozenInstanceError):
        make_article().text = "other"


def test_fingerprint_ignores_order_scores_and_source():
    one = make_article("1", "[Gao](LOCATION) and [Amina](PERSON)")
    other = replace(one, spans=tuple(replace(span, score=0.5) for span in reversed(one.spans)), source=Source("x"))
    two = make_article("2")
    assert fingerprint([one, two]) == fingerprint([two, other])


@pytest.mark.parametrize(
    "changes", [{"id": "b"}, {"text": "in Gao"}, {"spans": ()}, {"spans": (Span(3, 6, "PERSON"),)}, {"labels": {"topics": ("bombing",)}}]
)
def test_fingerprint_changes_with_content(changes):
    article = make_article(marked="In [Gao](LOCATION)")
    assert fingerprint([replace(article, **changes)]) != fingerprint([article])
