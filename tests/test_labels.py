from dataclasses import replace

import pytest
from factories import LABELS, flat_spans, make_article, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from sitrep.articles import Article, Source, Span
from sitrep.labels import TagSet, check_classes, check_entities

TAGS = TagSet(LABELS)
TOPICS = ("bombing", "kidnapping")
SOURCE = Source("data/a.md", 5, is_text=True)


def test_tags_by_hand():
    assert TagSet(("X", "Y")).tags == ("O", "B-X", "I-X", "B-Y", "I-Y")
    assert TagSet(("X", "Y")).encode([(0, 2, "Y"), (2, 3, "Y"), (4, 5, "X")], 6) == [3, 4, 3, 0, 1, 0]


@settings(max_examples=200, deadline=None)
@given(data=st.data(), length=st.integers(0, 20))
def test_decode_is_the_inverse_of_encode(data, length):
    spans = data.draw(flat_spans(length))
    tag_ids = TAGS.encode(spans, length)
    assert len(tag_ids) == length
    assert TAGS.decode(tag_ids) == spans


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, len(TAGS.tags) - 1), max_size=20))
def test_any_tags_decode_as_in_seqeval(tag_ids):
    expected = [(start, last + 1, label) for label, start, last in get_entities([TAGS.tags[tag_id] for tag_id in tag_ids])]
    assert TAGS.decode(tag_ids) == expected


def test_undeclared_mention_names_line_and_nearest_label():
    article = make_article(marked="One.\nIn [Gao](LOCATOIN).", source=SOURCE)
    way_out = ("did you mean 'LOCATION'?", "data.labels.entities", "data.drop_labels=[LOCATOIN]")
    with refused("data/a.md:6: article 'a'", "'LOCATOIN' on 'Gao'", *way_out):
        check_entities(article, LABELS)


def test_mention_marked_twice_is_refused_but_nesting_is_not():
    nested = Article("a", "Gao City", (Span(0, 8, "LOCATION"), Span(0, 3, "LOCATION"), Span(0, 8, "ARMED_GROUP")), source=SOURCE)
    assert check_entities(nested, LABELS) == nested
    twice = replace(nested, spans=(*nested.spans, Span(0, 3, "LOCATION", score=0.5)))
    with refused("data/a.md:5: article 'a'", "LOCATION 'Gao' [0, 3) is marked twice; remove one"):
        check_entities(twice, LABELS)


def test_dropped_labels_are_left_out_only_on_request():
    article = make_article(marked="[Amina](PERSON) left [Gao](TOWN)")
    assert [span.label for span in check_entities(article, LABELS, drop=["TOWN"]).spans] == ["PERSON"]
    topics = make_article(labels={"topics": ("rumour", "bombing")})
    assert check_classes(topics, "topics", "multi-label", TOPICS, drop=["rumour"]).labels == {"topics": ("bombing",)}


@pytest.mark.parametrize(
    ("kind", "declared", "value", "expected"),
    [
        ("multi-label", TOPICS, ["kidnapping", "bombing"], ("kidnapping", "bombing")),
        ("multi-label", TOPICS, [], ()),
        ("multi-label", TOPICS, "bombing", ("bombing",)),
        ("multi-class", TOPICS, "bombing", ("bombing",)),
        ("binary", ("attack",), "yes", ("attack",)),
        ("binary", ("attack",), True, ("attack",)),
        ("binary", ("attack",), "attack", ("attack",)),
        ("binary", ("attack",), ["0"], ()),
        ("binary", ("attack",), False, ()),
        ("binary", ("attack",), [], ()),
    ],
)
def test_classes_come_to_stand_under_labels(kind, declared, value, expected):
    article = check_classes(make_article(extra={"field": value, "n": 1}), "field", kind, declared)
    assert (article.labels, article.extra) == ({"field": expected}, {"n": 1})


@pytest.mark.parametrize(
    ("kind", "value", "problems"),
    [
        ("multi-label", None, ["has no field 'field'", "say so with 'field: []'"]),
        ("multi-class", None, ["has no field 'field'"]),
        ("multi-label", ["bombng"], ["'bombng' is not declared", "did you mean 'bombing'?", "data.labels.field", "drop_labels=[bombng]"]),
        ("multi-label", [7], ["'7' is not declared"]),
        ("multi-label", ["bombing", "bombing"], ["a label stands twice in field: bombing, bombing"]),
        ("multi-class", ["bombing", "kidnapping"], ["field must hold exactly one label, found ['bombing', 'kidnapping']"]),
        ("multi-class", [], ["field must hold exactly one label, found []"]),
        ("binary", "maybe", ["'maybe' is not declared"]),
    ],
)
def test_bad_classes(kind, value, problems):
    article = make_article(source=SOURCE, extra={} if value is None else {"field": value})
    with refused("data/a.md:5: article 'a'", *problems):
        check_classes(article, "field", kind, TOPICS[:1] if kind == "binary" else TOPICS)
