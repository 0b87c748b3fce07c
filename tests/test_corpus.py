import random
from collections import Counter
from dataclasses import replace

import pytest
import yaml
from factories import ROOT, make_article, make_data, make_task, refused, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article
from sitrep.config import SPLITS, DataConfig
from sitrep.corpus import count_labels, load_corpus, make_splits, read_labelled, read_splits, splits_path, write_splits
from sitrep.formats import jsonl, read_articles

TOPICS = ("bombing", "kidnapping", "diplomacy")


def many_articles(n, seed=0, labels=TOPICS):
    draw = random.Random(seed)
    return [
        Article(f"a{number:03}", f"Report {number}.", labels={"topics": tuple(label for label in labels if draw.random() < 0.4)})
        for number in range(n)
    ]


def dated(*dates):
    return [Article(f"a{number}", f"Report {number}.", extra={"date": date}) for number, date in enumerate(dates)]


@pytest.fixture(scope="module")
def shipped():
    return DataConfig(**yaml.safe_load((ROOT / "configs/data/articles.yaml").read_text()))


@pytest.fixture(scope="module")
def shipped_articles(shipped):
    return list(read_articles(ROOT / shipped.path))


@pytest.fixture
def folder(tmp_path):
    """Six annotated articles of one topic each, without a split."""
    text = "---\nid: a{0}\ntopics: [bombing]\nregion: sahel\n---\nReport {0} from [Gao](LOCATION)."
    return write_files(tmp_path / "data", {f"a{number}.md": text.format(number) for number in range(6)})


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


# The corpus


@pytest.mark.parametrize("format", [None, "annotated"])
def test_split_is_made_once_and_reused(folder, format):
    data = make_data(folder, format=format)
    corpus = load_corpus(data, make_task())
    assert {article.id for article in corpus.articles} == {f"a{number}" for number in range(6)}
    assert read_splits(folder / "splits.csv") == {article.id: name for name in SPLITS for article in corpus.split(name)}
    assert load_corpus(replace(data, split_seed=9), make_task()) == corpus


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda rows: rows[:-2], ["2 articles are in no split: a4, a5", "python annotate.py action=split data=own"]),
        (lambda rows: [*rows, "gone,train"], ["1 articles have a split but are not in the data: gone", "remove their rows"]),
        (lambda rows: [row.replace("dev", "train") for row in rows], ["no article in dev", "training needs all of train, dev, test"]),
    ],
)
def test_split_that_does_not_fit_the_data(folder, change, problems):
    load_corpus(make_data(folder), make_task())
    path = folder / "splits.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with refused(f"{path}: ", *problems):
        load_corpus(make_data(folder), make_task())


FRONT = "---\nid: {id}\n{fields}\n---\n{body}"


@pytest.mark.parametrize(
    ("task", "row", "problems"),
    [
        (make_task(), {"id": "a3"}, ["x.md:5: article 'a3'", "already used by", "a3.md:6", "give each article its own"]),
        (make_task(), {"body": " \n"}, ["x.md:5: article 'x': the article is empty"]),
        (make_task(), {"body": "One.\nIn [Gao](LOCATON)."}, ["x.md:6: article 'x'", "'LOCATON' on 'Gao'", "did you mean 'LOCATION'?"]),
        (make_task("multi-label", TOPICS, "topics"), {"fields": "n: 1"}, ["x.md:5: article 'x': has no field 'topics'", "'topics: []'"]),
        (make_task("multi-label", TOPICS, "topics"), {"fields": "topics: [bombng]"}, ["x.md:5", "'bombng'", "did you mean 'bombing'?"]),
        (make_task("multi-class", ["sahel", "horn"], "region"), {"fields": "region: [sahel, horn]"}, ["x.md:5", "exactly one", "horn"]),
        (make_task("multi-class", ["sahel", "horn"], "region"), {"fields": "n: 1"}, ["x.md:5: article 'x': has no field 'region'"]),
    ],
)
def test_bad_article_is_named(folder, task, row, problems):
    write_files(folder, {"x.md": FRONT.format(**{"id": "x", "fields": "n: 1", "body": "Rain.", **row})})
    with refused(*problems):
        read_labelled(folder, task)


def test_labels_are_dropped_on_request(folder):
    write_files(folder, {"x.md": FRONT.format(id="x", fields="n: 1", body="[Rain](WEATHER) in [Gao](LOCATION).")})
    articles = read_labelled(folder, make_task(), drop_labels=["WEATHER"])
    assert {span.label for article in articles for span in article.spans} == {"LOCATION"}


def test_folder_without_articles(tmp_path):
    with refused(f"{tmp_path}: holds no article"):
        load_corpus(make_data(tmp_path), make_task())


def test_counts_by_hand():
    articles = [make_article("1", "[Gao](LOCATION), [Gao](LOCATION)", labels={"topics": ("bombing",)}), make_article("2", "Rain.")]
    counts = count_labels(articles, {"1": "train", "2": "test"}, ["entities", "topics"])
    assert counts == {
        "articles": {"train": 1, "test": 1}, "characters": {"train": 8, "test": 5}, "mentions": {"train": 2, "test": 0},
        "entities=LOCATION": {"train": 2}, "topics=bombing": {"train": 1},
    }  # fmt: skip


# The shipped data


def test_shipped_corpus_has_what_the_datasheet_says(shipped_articles):
    assert (len(shipped_articles), sum(len(article.spans) for article in shipped_articles)) == (148, 10_256)


@pytest.mark.parametrize(("kind", "field"), [("ner", None), ("multi-label", "topics"), ("multi-class", "region")])
def test_shipped_labels_are_all_declared_and_used(shipped, kind, field):
    declared = shipped.labels[field or "entities"]
    articles = read_labelled(ROOT / shipped.path, make_task(kind, declared, field))
    used = {label for article in articles for label in (article.labels[field] if field else [span.label for span in article.spans])}
    assert used == set(declared)


def test_shipped_split_is_complete_and_has_every_label_in_every_split(shipped, shipped_articles):
    splits = read_splits(ROOT / shipped.splits_path)
    assert splits.keys() == {article.id for article in shipped_articles}
    counts = count_labels(shipped_articles, splits, ["entities", "topics", "region"])
    assert len(counts) == 3 + sum(map(len, shipped.labels.values()))
    assert all(counts[name][split] for name in counts for split in SPLITS)


def test_stratified_split_of_the_shipped_data(shipped, shipped_articles):
    for seed in range(10):
        counts = count_labels(shipped_articles, make_splits(shipped_articles, replace(shipped, split_seed=seed)), ["region", "topics"])
        regions = [counts[f"region={region}"] for region in shipped.labels["region"]]
        assert all(region["train"] for region in regions)
        for split, share in shipped.split_shares.items():
            assert abs(counts["articles"][split] - share * 148) <= 5
            assert all(abs(region[split] - share * region.total()) <= 1 for region in regions if region.total() < 30)


def test_jsonl_copy_of_the_shipped_data_is_the_same(shipped_articles, tmp_path):
    jsonl.write(shipped_articles, tmp_path / "all.jsonl")
    assert list(read_articles(tmp_path / "all.jsonl")) == shipped_articles
