import random
from collections import Counter
from dataclasses import replace

import pytest
from factories import make_article, make_data, refused, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article, Source
from sitrep.config import SPLITS
from sitrep.corpus import count_labels
from sitrep.splits import known_splits, make_splits, read_splits, splits_path, write_splits

TOPICS = ("bombing", "kidnapping", "diplomacy")


def many_articles(n, seed=0, labels=TOPICS):
    draw = random.Random(seed)
    return [
        Article(f"a{number:03}", f"Report {number}.", labels={"topics": tuple(label for label in labels if draw.random() < 0.4)})
        for number in range(n)
    ]


def dated(*dates):
    return [Article(f"a{number}", f"Report {number}.", extra={"date": date}) for number, date in enumerate(dates)]


# The split


@pytest.mark.parametrize("split_by", ["stratified", "date"])
def test_split_is_the_same_each_time_and_for_any_order(split_by):
    articles = [replace(article, extra={"date": f"2020-01-{1 + number % 9:02}"}) for number, article in enumerate(many_articles(40))]
    data = make_data(split_by=split_by)
    assert make_splits(articles, data) == make_splits(articles[::-1], data)


def test_another_seed_gives_another_split():
    articles = many_articles(40)
    assert make_splits(articles, make_data()) != make_splits(articles, make_data(split_seed=2))


@settings(max_examples=40, deadline=None)
@given(n=st.integers(30, 120), seed=st.integers(0, 99))
def test_split_sizes_and_frequent_labels_are_about_the_shares(n, seed):
    articles, data = many_articles(n, seed), make_data(split_seed=seed)
    counts = count_labels(articles, make_splits(articles, data), ["topics"])
    rarest = min((f"topics={topic}" for topic in TOPICS), key=lambda name: counts[name].total())
    for split, share in data.split_shares.items():
        assert abs(counts["articles"][split] - share * n) <= 3
        assert abs(counts[rarest][split] - share * counts[rarest].total()) <= 1
        for topic in TOPICS:
            assert abs(counts[f"topics={topic}"][split] - share * counts[f"topics={topic}"].total()) <= 5


@settings(max_examples=60, deadline=None)
@given(labels=st.lists(st.sets(st.integers(0, 30), max_size=3), min_size=3, max_size=20), seed=st.integers(0, 9))
def test_every_article_gets_a_split_and_no_split_is_empty(labels, seed):
    articles = [Article(str(number), f"Report {number}.", labels={"topics": tuple(map(str, row))}) for number, row in enumerate(labels)]
    splits = make_splits(articles, make_data(split_seed=seed))
    assert splits.keys() == {article.id for article in articles}
    assert set(splits.values()) == set(SPLITS)


@pytest.mark.parametrize("split_by", ["stratified", "date"])
@pytest.mark.parametrize("seed", range(3))
def test_articles_of_the_same_text_share_a_split(split_by, seed):
    articles = [replace(article, extra={"date": "2020-01-01"}) for article in many_articles(20, seed)]
    copies = [replace(article, id=f"{article.id}-copy", text=f"  {article.text.upper()}\n", labels={}) for article in articles]
    splits = make_splits(articles + copies, make_data(split_by=split_by, split_seed=seed))
    assert all(splits[article.id] == splits[f"{article.id}-copy"] for article in articles)


@settings(max_examples=40, deadline=None)
@given(n_old=st.integers(3, 30), n_new=st.integers(0, 30), seed=st.integers(0, 9))
def test_extending_keeps_old_articles_in_place(n_old, n_new, seed):
    articles, data = many_articles(n_old + n_new, seed), make_data(split_seed=seed)
    old = make_splits(articles[:n_old], data)
    extended = make_splits(articles, data, existing=old)
    assert {article_id: extended[article_id] for article_id in old} == old
    assert extended.keys() == {article.id for article in articles}


def test_new_copy_follows_the_old_article_and_no_old_one_moves():
    articles = [make_article(name, "Same text.") for name in ("old", "older", "copy")] + many_articles(3)
    existing = {"old": "test", "older": "dev", "a000": "train", "a001": "train", "a002": "train"}
    splits = make_splits(articles, make_data(), existing)
    assert {name: splits[name] for name in existing} == existing
    assert splits["copy"] in ("test", "dev")


def test_extending_fills_what_is_short():
    articles = many_articles(20, labels=())
    splits = make_splits(articles, make_data(), existing={article.id: "train" for article in articles[:12]})
    assert Counter(splits.values()) == {"train": 12, "dev": 4, "test": 4}


def test_split_by_date_puts_the_newest_in_test():
    articles = dated("2020-05-01", "2020-01-01T10:00", "2020-04-01", "2020-02-01", "2020-03-01")
    splits = make_splits(articles, make_data(split_by="date"))
    assert splits == {"a0": "test", "a2": "dev", "a4": "train", "a3": "train", "a1": "train"}


@pytest.mark.parametrize("date", ["", "May 2020", "2020-13-01"])
def test_split_by_date_needs_dates(date):
    with refused("article 'a1'", "data.split_by=date needs 'date: YYYY-MM-DD'", repr(date)):
        make_splits(dated("2020-01-01", date, "2020-01-02"), make_data(split_by="date"))


def test_split_by_date_cannot_be_extended():
    with refused("data.split_by=date cannot extend a split", "stratified"):
        make_splits(dated("2020-01-01", "2020-01-02", "2020-01-03"), make_data(split_by="date"), {"a0": "train"})


def test_fewer_than_three_different_articles_cannot_be_split():
    with refused("data: 2 different articles cannot be split into train, dev, test"):
        make_splits([make_article("a", "One."), make_article("b", "ONE."), make_article("c", "Two.")], make_data())


def test_a_split_by_file_is_neither_made_nor_extended():
    with refused("data.split_by=file takes the split from the file names; there is none to make or to extend"):
        make_splits(many_articles(5), make_data(split_by="file"))


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        ("d/tests.tsv", ["d/tests.tsv: data.split_by=file", "'tests' is no split", "did you mean 'test'?", "train.tsv, dev.tsv, test.tsv"]),
        ("all.jsonl", ["all.jsonl: ", "'all' is no split", "train.jsonl"]),
    ],
)
def test_a_file_of_another_name_has_no_split(path, problems):
    articles = [make_article("a", source=Source("d/train.tsv", 3)), make_article("b", source=Source(path))]
    assert known_splits(articles[:1], make_data(split_by="file")) == {"a": "train"}
    with refused(*problems):
        known_splits(articles, make_data(split_by="file"))


# The splits file


def test_splits_file_round_trip(tmp_path):
    splits = {"b,1": "dev", 'a "x"': "train", "é\n2": "test"}
    write_splits(splits, tmp_path / "splits.csv")
    assert read_splits(tmp_path / "splits.csv") == splits


def test_splits_saved_by_a_spreadsheet_are_read(tmp_path):
    write_files(tmp_path, {"splits.csv": "\ufeffid,split,note\r\na,train,x\r\nb,test,\r\n"})
    assert read_splits(tmp_path / "splits.csv") == {"a": "train", "b": "test"}


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("id,split\na,train\nb,test\na,dev\n", [":4: article 'a' stands in dev here and in train on line 2", "keep one row"]),
        ("id,split\na,trian\n", [":2: article 'a': 'trian' is no split", "did you mean 'train'?"]),
        ("id,split\na\n", [":2: article 'a': None is no split"]),
        ("name,fold\na,train\n", [":1: expected the columns id,split, found ['name', 'fold']"]),
        ("", [":1: expected the columns id,split"]),
        (b"id,split\ncaf\xe9,train\n", [":1: not UTF-8: byte 0xe9 at byte 12"]),
    ],
)
def test_bad_splits_file(tmp_path, content, problems):
    path = write_files(tmp_path, {"splits.csv": content}) / "splits.csv"
    with refused(*(f"{path if problem[0] == ':' else ''}{problem}" for problem in problems)):
        read_splits(path)


def test_splits_that_cannot_be_written_say_where_else(tmp_path):
    with refused(f"{tmp_path / 'no/splits.csv'}: cannot be written", "data.splits_path="):
        write_splits({"a": "train"}, tmp_path / "no" / "splits.csv")


def test_place_of_the_split(tmp_path):
    write_files(tmp_path, {"a.jsonl": ""})
    assert splits_path(make_data(tmp_path)) == tmp_path / "splits.csv"
    assert splits_path(make_data(tmp_path / "a.jsonl")) == tmp_path / "a.splits.csv"
    assert str(splits_path(make_data("x/*.md", splits_path="s.csv"))) == "s.csv"
    with refused("data.path=x/*.md is no file or folder", "give data.splits_path="):
        splits_path(make_data("x/*.md"))
