"""What mlm learns from: never a test text, never one that shares a sentence with one, and nothing is left out silently."""

import logging
from dataclasses import replace

import pytest
from factories import refused, write_files
from tiny import compose, own_data

from sitrep.articles import Article
from sitrep.formats import jsonl, read_articles
from sitrep.unlabelled import load_unlabelled

NUMBERS = ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
TEXTS = {f"t{n}": f"{word} soldiers of the river army left Gao. {word} came back." for n, word in enumerate(NUMBERS)}


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "texts", {f"{name}.txt": text for name, text in TEXTS.items()})


def load(folder, *arguments: str):
    config = compose("train", "task=mlm", "task.held_back=null", "data=own", f"data.path={folder}", *arguments)
    return load_unlabelled(config.data, config.task)


def ids(articles) -> list[str]:
    return [article.id for article in articles]


def test_without_a_split_a_seeded_share_is_held_out_and_none_is_saved(folder):
    corpus = load(folder, "task.held_out=0.2")
    assert (len(corpus.train), len(corpus.dev), len(corpus.test)) == (8, 2, 0)
    assert load(folder, "task.held_out=0.2") == corpus
    assert any(load(folder, "task.held_out=0.2", f"data.split_seed={seed}").dev != corpus.dev for seed in (2, 3))
    assert len(load(folder).dev) == 1
    assert not (folder / "splits.csv").exists()
    assert load(f"{folder}/*.txt", "task.held_out=0.2") == corpus


def test_with_a_split_only_its_train_articles_are_learnt(corpus, caplog):
    config = compose("train", "task=mlm", *own_data(corpus))
    splits = dict(line.split(",") for line in (corpus / "splits.csv").read_text().splitlines())
    loaded = load_unlabelled(config.data, replace(config.task, held_back=None))
    for name in ("dev", "test"):
        assert set(ids(loaded.split(name))) == {article_id for article_id, split in splits.items() if split == name}
    learnt = {article_id for article_id, split in splits.items() if split == "train"}
    assert set(ids(loaded.train)) | {entry.article_id for entry in loaded.left_out} == learnt
    assert not any(article.spans or article.labels for article in loaded.articles)
    assert "make it first" not in caplog.text


def test_labels_without_a_split_bring_a_warning(corpus_copy, caplog):
    load(corpus_copy)
    assert "holds labels but no split" in caplog.text
    assert not (corpus_copy / "splits.csv").exists()


def test_the_project_s_own_test_texts_are_never_learnt(tmp_path):
    config = compose("train", "task=mlm")
    ours = load_unlabelled(config.data, config.task)
    assert ours.test and not {article.text for article in ours.test + ours.dev} & {article.text for article in ours.train}
    copies = [*ours.dev[:2], *ours.test[:2], *ours.train[:2]]
    texts = [Article(str(n), f"Copied from elsewhere.\n{article.text[-600:].upper()}") for n, article in enumerate(copies)]
    jsonl.write([*texts, *(Article(f"new{n}", f"Sentence number {n} is of no article.") for n in range(3))], tmp_path / "web.jsonl")
    config = compose("train", "task=mlm", "data=own", f"data.path={tmp_path / 'web.jsonl'}")
    loaded = load_unlabelled(config.data, replace(config.task, held_out=0.001))
    held_out = set(ids(loaded.dev))
    reasons = {entry.article_id: entry.reason for entry in loaded.left_out}
    expected = {"0": "dev of data/articles", "1": "dev of data/articles", "2": "test of data/articles", "3": "test of data/articles"}
    assert reasons == {name: reason for name, reason in expected.items() if name not in held_out}
    assert set(ids(loaded.train)) == {"4", "5", "new0", "new1", "new2"} - held_out


def test_what_shares_a_sentence_is_left_out_counted_and_logged(folder, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    splits = dict.fromkeys(TEXTS, "train") | {"t8": "dev", "t9": "test", "of-dev": "train", "of-test": "train"}
    write_files(folder, {"of-dev.txt": f"He said: {TEXTS['t8']}", "of-test.txt": TEXTS["t9"].upper()})
    write_files(folder, {"splits.csv": "id,split\n" + "".join(f"{name},{split}\n" for name, split in splits.items())})
    conll = "".join(f"{token}\tO\n" for token in TEXTS["t0"].split(".")[0].split(" "))
    write_files(tmp_path, {"a, b/test.txt": f"{conll}.\tO\n\nRain\tO\n", "c=d.txt": TEXTS["t1"].lower()})
    entries = [f"conll:{tmp_path / 'a, b'}", str(tmp_path / "c=d.txt")]
    config = compose("train", "task=mlm", "task.held_back=null", "data=own", f"data.path={folder}", f"task.leave_out={entries[1]}")
    assert config.task.leave_out == entries[1:]
    loaded = load_unlabelled(config.data, replace(config.task, leave_out=entries))
    assert {entry.article_id: entry.reason for entry in loaded.left_out} == {
        "of-dev": "the run's own dev", "of-test": "the run's own test", "t0": entries[0], "t1": entries[1],
    }  # fmt: skip
    assert ids(loaded.train) == ["t2", "t3", "t4", "t5", "t6", "t7"]
    assert loaded.left_out[2].sentence == "onesoldiersoftheriverarmyleftgao"
    assert "left out: 4 of 10 articles" in caplog.text
    assert f"1 with {entries[0]}" in caplog.text and "1 with the run's own test" in caplog.text


def test_that_nothing_is_left_out_is_logged_too(folder, caplog):
    caplog.set_level(logging.INFO)
    load(folder)
    assert "left out: none of 9 articles" in caplog.text


def test_columns_are_not_read_as_text(folder, tmp_path):
    write_files(tmp_path, {"test.txt": "Gao\tB-Location\nfell\tO\n"})
    with refused(f"task.leave_out={tmp_path / 'test.txt'}", "looks like CoNLL columns", f"conll:{tmp_path / 'test.txt'}"):
        load(folder, f"task.leave_out={tmp_path / 'test.txt'}")
    assert len(list(read_articles(tmp_path / "test.txt", format="conll"))) == 1


def test_errors(folder, tmp_path, monkeypatch):
    with refused(f"task.leave_out={tmp_path / 'no'}", "no such file"):
        load(folder, f"task.leave_out={tmp_path / 'no'}")
    with refused("no article is left to learn from", f"9 with {folder}"):
        load(folder, f"task.leave_out=[{folder}]", "data.split_seed=2")
    with refused("no article is left to learn from", "(none)"):
        load(folder / "t1.txt")
    with refused("no such file; make the split first"):
        load(folder, f"data.splits_path={tmp_path / 'none.csv'}")
    monkeypatch.chdir(tmp_path)
    config = compose("train", "task=mlm", "data=own", f"data.path={folder}")
    with refused("task.held_back", "data/articles: no such file", "Start from the project's folder"):
        load_unlabelled(config.data, config.task)
