"""The law of every format that is written: what comes back is the article, but for exactly what the writer reported as lost.

The order of mentions carries nothing; class labels count as `Article.classes` finds them.
"""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from factories import flat_spans, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.formats import FORMATS, read_articles, write_articles
from sitrep.formats.faults import Losses
from sitrep.formats.writing import Target

ENDINGS = {"jsonl": ".jsonl", "conll": ".conll", "csv": ".csv", "tsv": ".tsv", "parquet": ".parquet", "spacy": ".spacy"}
FOLDERS = ("annotated", "brat", "datasets")
WRITTEN = (*ENDINGS, *FOLDERS)
LOSSLESS = ("jsonl", "parquet", "spacy", "datasets")

LABELS = ("PERSON", "LOCATION", "ARMED GROUP", "PLACE(S)", "a;b\t")
IDS = st.sampled_from(["a", "A", "a/b", "..", "", " ", "README", "con", "é\u0301", "x" * 300, "two\nlines", '"', "-X-", "a\0"]) | texts(
    max_size=5
)
SCORES = st.none() | st.sampled_from([0.0, 1.0, 0.1, 1e-9]) | st.floats(0, 1)
CLASSES = st.lists(st.sampled_from(["bombing", "air-strike", "a;b", " ", "", "007", "no"]) | texts(max_size=4), max_size=3).map(tuple)
VALUES = st.none() | st.booleans() | st.integers(-5, 10**20) | texts(max_size=9) | st.lists(texts(max_size=4), max_size=2)
EXTRA = st.dictionaries(
    st.sampled_from(["title", "topics", "n", "text_sha256", "", "é ;"]), VALUES | st.fixed_dictionaries({"k": VALUES}), max_size=3
)
FIELDS = st.sampled_from(["topics", "region", "extra", "labels_x", "n", "article_id"])


@st.composite
def articles(draw):
    text = draw(texts(max_size=40) | st.sampled_from(["\ufeffRain.", "In Gao. Rain\r\nfell. ", "A\0b", "  \n", "a  b", "Rain fell"]))
    marks = draw(flat_spans(len(text), LABELS)) + draw(flat_spans(len(text), LABELS))
    spans = tuple(Span(*mark, draw(SCORES)) for mark in draw(st.permutations(marks)))
    scores = draw(st.dictionaries(FIELDS, st.dictionaries(st.sampled_from(["bombing", "é"]), st.floats(0, 1), max_size=2), max_size=1))
    return Article(draw(IDS), text, spans, draw(st.dictionaries(FIELDS, CLASSES, max_size=2)), scores, draw(EXTRA))


def there_and_back(given, name, folder):
    """Return what is read of articles written in a format, and what was lost."""
    losses = Losses(keep=10**6)
    path = folder / f"out{ENDINGS.get(name, '')}"
    write_articles(given, path, format=name, target=Target(losses), overwrite=True)
    if losses.counts["articles"] == len(given) and name in ("annotated", "brat"):
        return [], losses
    lost_in_reading = Losses()
    back = list(read_articles(path, format=name if name in FOLDERS else None, lose=lost_in_reading))
    assert not lost_in_reading.counts  # what we write ourselves is read whole
    return back, losses


MENTIONS = Counter(
    {
        "mentions": 1, "overlapping mentions": 1, "mentions whose label holds white space or parentheses": 1,
        "mentions whose label holds white space": 1, "mentions of newlines around texts": 1, "mentions of white space alone": 1,
    }
)  # fmt: skip
TEXT = {"newlines around texts", "white space of texts"}
FIELDS_LOST = {"other fields", "types of other fields", "absent fields", "NUL characters"}
CLASSES_LOST = {"types of class labels", "class labels that are blank, no text or hold a semicolon", "NUL characters"}
EDGES = "white space at the ends of mentions"


def mentions_of(article, *, with_scores=True, trimmed=False, squeezed=False):
    """Return mentions as a multiset, by offsets, or by their characters without white space where the text lost some."""
    found = Counter()
    for span in article.spans:
        surface = article.surface(span)
        where = "".join(surface.split()) if squeezed else surface.strip() if trimmed else (span.start, span.end)
        found[(where, span.label, span.score if with_scores else None)] += 1
    return found


def check(article, back, lost):
    """Demand that `back` differs from `article` in just what was lost."""
    kinds = {loss.what for loss in lost}
    assert (back.id != article.id) == ("ids" in kinds)
    assert (back.text != article.text) == bool(kinds & TEXT)
    if kinds & TEXT:
        assert "".join(back.text.split()) == "".join(article.text.split())
    if "scores" in kinds:
        assert not back.scores and all(span.score is None for span in back.spans)
        assert article.scores or any(span.score is not None for span in article.spans)
    else:
        assert back.scores == article.scores
    options = {"with_scores": "scores" not in kinds, "squeezed": bool(kinds & TEXT), "trimmed": EDGES in kinds}
    before, after = mentions_of(article, **options), mentions_of(back, **options)
    assert not after - before
    assert (before - after).total() == sum(MENTIONS[loss.what] for loss in lost)
    check_fields(article, back, lost)


def check_fields(article, back, lost):
    """Demand of class labels and other fields that those differ, and only those, of which a loss says so."""
    for name, values in article.labels.items():
        is_lost = any(loss.what == f"class labels of {name}" or is_about(loss, name, CLASSES_LOST) for loss in lost)
        assert (back.classes(name) != values) == is_lost, name
    reported = {name for name in {*article.extra, *back.extra} if any(is_about(loss, name, FIELDS_LOST) for loss in lost)}
    others = [name for name in article.extra if name not in article.labels]
    assert [name for name in others if not same_value(article.extra[name], back, name)] == [name for name in others if name in reported]
    hidden = [name for name in article.extra if name in article.labels and not same_value(article.extra[name], back, name)]
    assert all(name in reported for name in hidden)
    assert all(name in reported for name in {*back.extra, *back.labels} - {*article.extra, *article.labels})


def is_about(loss, name, kinds):
    return loss.what in kinds and (loss.detail == name or loss.detail.startswith((f"{name}: ", f"{name}, ")))


def same_value(value, back, name):
    if name in back.extra and type(back.extra[name]) is type(value) and back.extra[name] == value:
        return True
    is_classes = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return is_classes and name in back.extra and back.classes(name) == tuple(value)


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(written=st.lists(articles(), max_size=2))
def test_what_comes_back_differs_in_what_was_lost(tmp_path, name, written):
    written = [replace(article, id=f"{number}{article.id}" if article.id.strip() else article.id) for number, article in enumerate(written)]
    written = [article for number, article in enumerate(written) if article.id not in {other.id for other in written[:number]}]
    back, losses = there_and_back(written, name, tmp_path)
    gone = {loss.article_id for loss in losses.kept if loss.what == "articles"}
    kept = [article for article in written if article.id not in gone]
    assert len(back) == len(kept)
    if name in ("annotated", "brat"):  # whose files are read by name
        order = [other.id if other.id.strip() or name == "brat" else "article" for other in kept]
        back.sort(key=lambda article: order.index(article.id))
    for article, found in zip(kept, back, strict=True):
        check(article, found, [loss for loss in losses.kept if loss.article_id == article.id])
    if name in LOSSLESS:
        assert not losses.counts


def test_every_format_that_is_written_is_held_to_the_law():
    tools = {"doccano", "labelstudio", "prodigy"}  # held to it in files of their own
    assert {name for name, module in FORMATS.items() if hasattr(module, "write")} - tools == set(WRITTEN)


@pytest.mark.parametrize("name", FOLDERS[:2])
def test_ids_that_are_no_file_names_come_back(tmp_path, name):
    ids = [
        "a",
        "A",
        "a/b",
        "../../up",
        ".",
        "..",
        ".hidden",
        "README",
        "readme.md",
        "con",
        "x" * 300,
        "é",
        "e\u0301",
        "two\nlines",
        "a",
        "a-2",
        "a-2",
        "x.ann",
        "y.gz",
    ]
    written = [Article(article_id, f"Rain {number}.") for number, article_id in enumerate(ids)]
    back, losses = there_and_back(written, name, tmp_path)
    assert not losses.counts
    assert sorted((article.id, article.text) for article in back) == sorted((article.id, article.text) for article in written)
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / "out"}
    names = [path.stem.casefold() for path in (tmp_path / "out").glob("*.md" if name == "annotated" else "*.ann")]
    assert len(set(names)) == len(ids)


ALPHABET = "abcé غ🚁👩🏽\u200d \n\r\t\u2028\x85\u0301.;:[]()\\\"'\ufeff\0"


def random_article(random, number):
    text = "".join(random.choices(ALPHABET, k=random.randrange(60)))
    spans = []
    for _ in range(random.randrange(6) if text else 0):
        start = random.randrange(len(text))
        end = random.randrange(start, len(text)) + 1
        spans.append(Span(start, end, random.choice(LABELS), random.choice([None, random.random()])))
    labels = {
        field: tuple(random.sample(["x", "a;b", "", "é"], random.randrange(3))) for field in random.sample(["topics", "n", "extra"], 2)
    }
    scores = {"topics": {"x": random.random()}} if random.random() < 0.3 else {}
    extra = {"title": text[:5], "n": random.choice([1, None, 2.5, [1, "a"], {"k": [None]}])}
    return Article(f"{number}/{text[:3]}", text, tuple(spans), labels, scores, extra)


def without_spaces(spans):
    return tuple(replace(span, label="_".join(span.label.split())) for span in spans)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LOSSLESS, "brat"])
def test_five_thousand_articles_come_back_identical(tmp_path, name):
    random = Random(6)
    written = [random_article(random, number) for number in range(5000)]
    if name == "brat":  # which holds all but NUL characters and labels with white space
        written = [replace(article, text=article.text.replace("\0", "-"), spans=without_spaces(article.spans)) for article in written]
    back, losses = there_and_back(written, name, tmp_path)
    back.sort(key=lambda article: int(article.id.partition("/")[0]))
    assert back == written and not losses.counts
    assert [[span.score for span in article.spans] for article in back] == [[span.score for span in article.spans] for article in written]
