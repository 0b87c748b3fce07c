"""Prediction: as a stream, whole articles, the same whether read in batches or one by one."""

import itertools

import pytest
from tiny import torch_reader

from sitrep.articles import Article
from sitrep.formats import read_articles
from sitrep.models import load_model
from sitrep.prediction import EncoderReader
from sitrep.sampling import LOOK_AHEAD, LOOK_AHEAD_CHARACTERS, look_ahead


@pytest.fixture(scope="module", params=["ner_run", "topics_run"])
def reader(request) -> EncoderReader:
    run = request.getfixturevalue(request.param)
    return torch_reader(load_model(run.checkpoint_path))


@pytest.fixture(scope="module")
def articles(corpus) -> list[Article]:
    """Articles of very different lengths, more than are looked ahead at, an empty one among them."""
    found = [article.bare() for article in read_articles(corpus)]
    longest = "\n\n".join(article.text for article in found)
    copies = [Article(f"{n}-{article.id}", article.text) for n in range(4) for article in found]
    return [Article("longest", longest), *copies[:30], Article("empty", ""), *copies[30:]]


def comparable(article: Article) -> tuple:
    return article.id, article.text, article.spans, article.labels


def scores(article: Article) -> list[float]:
    return [*(span.score for span in article.spans), *(score for field in article.scores.values() for score in field.values())]


def test_batches_and_single_articles_give_the_same(reader, articles):
    together = list(reader.read(articles))
    singly = [next(reader.read([article])) for article in articles]
    assert [article.id for article in together] == [article.id for article in articles]
    assert list(map(comparable, together)) == list(map(comparable, singly))
    for one, other in zip(together, singly, strict=True):
        assert scores(one) == pytest.approx(scores(other), abs=1e-5)
    assert any(article.spans or any(article.labels.values()) for article in together)


def test_gold_is_never_looked_at(reader, corpus):
    gold = list(read_articles(corpus))
    assert list(reader.read(gold)) == list(reader.read([article.bare() for article in gold]))


def test_articles_are_read_as_a_stream(reader, articles):
    n_taken = itertools.count()
    stream = reader.read(article for article, _ in zip(itertools.cycle(articles), n_taken, strict=False))  # without end
    for _ in range(LOOK_AHEAD + 1):
        next(stream)
    assert next(n_taken) <= 2 * LOOK_AHEAD + 1


def test_a_chunk_ends_where_it_holds_too_many_articles_or_characters():
    short, long = Article("short", "x"), Article("long", "x" * LOOK_AHEAD_CHARACTERS)
    sizes = [len(chunk) for chunk in look_ahead([*[short] * (LOOK_AHEAD + 3), long, long, short])]
    assert sizes == [LOOK_AHEAD, 4, 1, 1]


def test_nothing_to_read(reader):
    assert list(reader.read([])) == []


def test_the_end_of_a_long_article_is_read(ner_run, articles):
    reader = torch_reader(load_model(ner_run.checkpoint_path))
    (read,) = reader.read(articles[:1])
    assert max(span.start for span in read.spans) > len(read.text) - 300
    assert all(0 <= span.score <= 1 for span in read.spans)


def test_reading_leaves_the_network_in_the_mode_it_was_in(reader, articles):
    for training in (True, False):
        reader.network.train(training)
        first, again = (list(reader.read(articles[:3])) for _ in range(2))
        assert list(map(scores, first)) == list(map(scores, again))  # no dropout
        assert reader.network.training is training
