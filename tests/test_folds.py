"""The folds of a cross-validation: every article held out once, near-duplicates together, labels spread."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from factories import make_data, refused
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article
from sitrep.config import CrossValidationConfig
from sitrep.corpus import count_labels
from sitrep.folds import deal_folds

TOPICS = ("bombing", "kidnapping", "diplomacy")


def many_articles(n, seed=0):
    draw = random.Random(seed)
    return [
        Article(f"a{number:03}", f"Report {number}.", labels={"topics": tuple(topic for topic in TOPICS if draw.random() < 0.4)})
        for number in range(n)
    ]


def deal_all(articles, n_folds, data=None):
    return [deal_folds(articles, data or make_data(), CrossValidationConfig(n_folds, fold)) for fold in range(n_folds)]


def held_out(parts):
    return {article_id for article_id, part in parts.items() if part == "fold"}


@settings(max_examples=30, deadline=None)
@given(n=st.integers(3, 60), n_folds=st.integers(3, 10), seed=st.integers(0, 99))
def test_every_article_is_held_out_once_and_no_part_is_empty(n, n_folds, seed):
    articles, n_folds = many_articles(n, seed), min(n, n_folds)
    dealt = deal_all(articles, n_folds, make_data(split_seed=seed))
    assert Counter(article_id for parts in dealt for article_id in held_out(parts)) == dict.fromkeys((a.id for a in articles), 1)
    for parts in dealt:
        assert parts.keys() == {article.id for article in articles}
        assert set(parts.values()) == {"train", "dev", "fold"}


@pytest.mark.parametrize("n_folds", [3, 5, 10])
def test_sizes_and_labels_are_about_equal(n_folds):
    articles = many_articles(100)
    for parts in deal_all(articles, n_folds):
        counts = count_labels(articles, parts, ["topics"])
        assert abs(counts["articles"]["fold"] - 100 / n_folds) <= 2
        assert abs(counts["articles"]["dev"] - 0.25 * (100 - counts["articles"]["fold"])) <= 2  # as 0.2 of 0.8 in a split
        for topic in TOPICS:
            assert abs(counts[f"topics={topic}"]["fold"] - counts[f"topics={topic}"].total() / n_folds) <= 3


def test_near_duplicates_share_a_part():
    articles = many_articles(20)
    copies = [replace(article, id=f"{article.id}-copy", text=f"  {article.text.upper()}\n", labels={}) for article in articles]
    for parts in deal_all(articles + copies, 5):
        assert all(parts[article.id] == parts[f"{article.id}-copy"] for article in articles)


def test_folds_hang_on_the_seed_of_the_split_and_not_on_the_order():
    articles = many_articles(40)
    assert deal_all(articles, 4) == deal_all(articles[::-1], 4)
    assert deal_all(articles, 4) != deal_all(articles, 4, make_data(split_seed=2))


def test_more_folds_than_different_articles_are_refused():
    articles = [*many_articles(3), Article("copy", "report 2")]
    assert len(deal_all(articles, 3)) == 3
    with refused("cv.folds=4: the train and dev articles of data are 3 when near-duplicates count as one", "choose cv.folds=3 or fewer"):
        deal_all(articles, 4)


def test_a_run_names_its_fold():
    with refused("cv.folds=4: which fold is held out?", "-m cv.folds=4 'cv.fold=range(4)'"):
        deal_folds(many_articles(9), make_data(), CrossValidationConfig(4, None))
