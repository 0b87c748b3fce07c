import hashlib
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml
from factories import ROOT, make_article, make_data, make_task, refused, write_files

from sitrep.config import SPLITS, DataConfig
from sitrep.corpus import check_files, count_labels, find_leaks, load_corpus, read_labelled
from sitrep.formats import jsonl, read_articles
from sitrep.splits import make_splits, read_splits

TOPICS = ("bombing", "kidnapping", "diplomacy")


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


@pytest.mark.parametrize(("name", "use"), [("train", "nothing could be learnt"), ("dev", "the best epoch could not be chosen")])
@pytest.mark.parametrize(
    ("task", "holds", "nothing", "what"),
    [
        (make_task(), "[Gao](LOCATION)", "Gao", "hold no mention"),
        (make_task("multi-label", TOPICS, "topics"), "topics: [bombing]", "topics: []", "hold no label of topics"),
    ],
)
def test_a_split_that_holds_nothing_to_learn_or_to_choose_by(folder, name, use, task, holds, nothing, what):
    corpus = load_corpus(make_data(folder), task)
    for article in corpus.split(name):
        path = folder / f"{article.id}.md"
        path.write_text(path.read_text().replace(holds, nothing))
    with refused(f"{folder}: the {len(corpus.split(name))} {name} articles {what}", use, f"remove {folder / 'splits.csv'}"):
        load_corpus(make_data(folder), task)


def test_a_label_that_cannot_be_learnt_is_named(folder, caplog):
    load_corpus(make_data(folder), make_task())
    assert "labels that no training article holds cannot be learnt, and cost recall elsewhere: PERSON, ARMED_GROUP\n" in caplog.text


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


def test_a_file_without_articles_is_refused(tmp_path):
    write_files(tmp_path, {"none.jsonl": ""})
    with refused("none.jsonl: holds no article"):
        read_labelled(tmp_path / "none.jsonl", make_task())


def test_labels_are_dropped_on_request(folder):
    write_files(folder, {"x.md": FRONT.format(id="x", fields="n: 1", body="[Rain](WEATHER) in [Gao](LOCATION).")})
    articles = read_labelled(folder, make_task(), drop_labels=["WEATHER"])
    assert {span.label for article in articles for span in article.spans} == {"LOCATION"}


# Data that was published with files and a split of its own

CONLL = {name: f"{name}\tO\nin\tO\nGao\tB-LOCATION\n\nRain\tO\n" for name in SPLITS}
CONLL["dev"] = CONLL["dev"].replace("Rain", "Wind")


@pytest.fixture
def published(tmp_path):
    """A folder of train.txt, dev.txt and test.txt in which train and test share a sentence, with its config."""
    folder = write_files(tmp_path / "data", {f"{name}.txt": text for name, text in CONLL.items()})
    sha256 = {f"{name}.txt": hashlib.sha256(text.encode()).hexdigest() for name, text in CONLL.items()}
    return make_data(folder, format="conll", split_by="file", sha256=sha256, upstream="example.org at commit 123")


def test_split_by_file_writes_no_splits_file(published):
    corpus = load_corpus(published, make_task())
    for name in SPLITS:
        assert [article.id for article in corpus.split(name)] == [f"{name}-1", f"{name}-2"]
    assert {path.name for path in Path(published.path).iterdir()} == {"train.txt", "dev.txt", "test.txt"}


def test_split_by_file_needs_all_splits(published):
    (Path(published.path) / "dev.txt").unlink()
    with refused(f"{published.path}: no article in dev", "training needs all of train, dev, test"):
        load_corpus(replace(published, sha256={}), make_task())


def test_a_missing_file_is_named_with_where_it_comes_from(published):
    path = Path(published.path) / "dev.txt"
    path.unlink()
    with refused(f"{path}: no such file, expected with SHA-256 {published.sha256['dev.txt']}", published.upstream, "data.path="):
        load_corpus(published, make_task())


@pytest.mark.parametrize("upstream", ["example.org at commit 123", None])
def test_a_changed_file_is_named_with_both_hashes(published, upstream):
    path = Path(published.path) / "test.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    from_where = upstream or "where the data comes from"
    with refused(
        f"{path}: not the published file",
        found,
        published.sha256["test.txt"],
        f"fetch it again from {from_where}, byte for byte",
        "data=own",
    ):
        load_corpus(replace(published, upstream=upstream), make_task())


def test_hashes_may_be_written_in_capitals_and_lie_in_folders(tmp_path):
    write_files(tmp_path, {"a b/x.txt": "x"})
    check_files(make_data(tmp_path, sha256={"a b/x.txt": hashlib.sha256(b"x").hexdigest().upper()}))


def test_near_duplicates_between_splits_are_counted_and_listed(published, caplog):
    corpus = load_corpus(published, make_task(labels=["LOCATION"]))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "1 of 2 test articles have a near-duplicate among those that the model learns from or is chosen by (1 in train), "
        "and flatter the score: test-2 (train-2)"
    )
    assert [asdict(leak) for leak in corpus.leaks] == [
        {"id": "test-2", "split": "test", "of": "train-2", "of_split": "train", "similarity": 1.0}
    ]
    assert (corpus.leaks_into("test"), corpus.leaks_into("dev")) == (list(corpus.leaks), [])


def test_of_many_leaks_three_are_named(published, caplog):
    write_files(Path(published.path), {"dev.txt": "rain\tO\n\n" * 4 + "Gao\tB-LOCATION\n"})
    load_corpus(replace(published, sha256={}), make_task())
    assert "4 of 5 dev articles" in caplog.text
    assert "the score: dev-1 (train-2), dev-2 (train-2), dev-3 (train-2), ...\n" in caplog.text


def test_the_most_similar_article_is_named_and_dev_is_no_leak_into_itself(published):
    words = [f"w{number}" for number in range(40)]
    rows = {
        "train": [[*words[:35], "x", "y"], ["Gao"]],  # 31 shingles of 38 are shared with test: 0.74
        "dev": [words, words, ["Gao"]],
        "test": [words],
    }
    for name, sentences in rows.items():
        tags = ["\n".join(f"{word}\t{'B-LOCATION' if word == 'Gao' else 'O'}" for word in sentence) for sentence in sentences]
        write_files(Path(published.path), {f"{name}.txt": "\n\n".join(tags)})
    corpus = load_corpus(replace(published, sha256={}), make_task())
    found = [(leak.id, leak.of, leak.of_split) for leak in corpus.leaks]
    assert found == [
        ("dev-1", "train-1", "train"),
        ("dev-2", "train-1", "train"),
        ("dev-3", "train-2", "train"),
        ("test-1", "dev-1", "dev"),
    ]
    assert [leak.similarity for leak in corpus.leaks] == [31 / 38, 31 / 38, 1.0, 1.0]


def test_other_articles_are_compared_with_what_was_learnt_from(published, caplog):
    gold = [make_article("x", "RAIN!"), make_article("y", "Snow.")]
    (leak,) = find_leaks(gold, "mine", published, make_task())
    assert (leak.id, leak.split, leak.of, leak.of_split) == ("x", "mine", "train-2", "train")
    assert "1 of 2 mine articles" in caplog.text
    (Path(published.path) / "train.txt").unlink()
    assert find_leaks(gold, "mine", published, make_task()) is None
    assert "mine cannot be compared with what was learnt from: " in caplog.text


def test_looking_for_leaks_makes_no_split(folder):
    assert find_leaks([make_article("x")], "mine", make_data(folder), make_task()) is None
    assert not (folder / "splits.csv").exists()


def test_a_split_that_is_made_here_does_not_leak(folder, caplog):
    for number in range(3):
        write_files(folder, {f"copy{number}.md": f"---\nid: c{number}\n---\nREPORT {number}  from Gao."})
    assert load_corpus(make_data(folder), make_task()).leaks == ()
    assert "flatter" not in caplog.text


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
