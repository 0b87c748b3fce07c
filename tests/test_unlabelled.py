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


def test_without_a_split_one_is_made_and_kept(folder):
    corpus = load(folder)
    assert (len(corpus.train), len(corpus.dev), len(corpus.test)) == (7, 1, 2)
    made = (folder / "splits.csv").read_text()
    assert load(folder, "data.split_seed=2") == corpus
    (folder / "splits.csv").unlink()
    assert load(folder) == corpus and (folder / "splits.csv").read_text() == made


def test_with_a_split_only_its_train_articles_are_learnt(corpus):
    config = compose("train", "task=mlm", *own_data(corpus))
    splits = dict(line.split(",") for line in (corpus / "splits.csv").read_text().splitlines())
    loaded = load_unlabelled(config.data, replace(config.task, held_back=None))
    for name in ("dev", "test"):
        assert set(ids(loaded.split(name))) == {article_id for article_id, split in splits.items() if split == name}
    learnt = {article_id for article_id, split in splits.items() if split == "train"}
    assert set(ids(loaded.train)) | {entry.article_id for entry in loaded.left_out} == learnt
    assert not any(article.spans or article.labels for article in loaded.articles)


def test_the_project_s_own_test_texts_are_never_learnt(tmp_path):
    config = compose("train", "task=mlm")
    ours = load_unlabelled(config.data, config.task)
    assert ours.test and not {article.text for article in ours.test + ours.dev} & {article.text for article in ours.train}
    copies = [*ours.dev[:2], *ours.test[:2], *ours.train[:2]]
    texts = [Article(str(n), f"Copied from elsewhere.\n{article.text[-600:].upper()}") for n, article in enumerate(copies)]
    jsonl.write([*texts, *(Article(f"new{n}", f"Sentence number {n} is of no article.") for n in range(3))], tmp_path / "web.jsonl")
    splits = dict.fromkeys("012345", "train") | {"new0": "train", "new1": "dev", "new2": "test"}
    write_files(tmp_path, {"web.splits.csv": "id,split\n" + "".join(f"{name},{split}\n" for name, split in splits.items())})
    config = compose("train", "task=mlm", "data=own", f"data.path={tmp_path / 'web.jsonl'}")
    loaded = load_unlabelled(config.data, config.task)
    reasons = {entry.article_id: entry.reason for entry in loaded.left_out}
    assert reasons == dict.fromkeys("01", "dev of data/articles") | dict.fromkeys("23", "test of data/articles")
    assert ids(loaded.train) == ["4", "5", "new0"]


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
    assert "left out: 4 of 10 training articles" in caplog.text
    assert f"task.leave_out={entries[0]}: 2 articles" in caplog.text
    assert f"1 with {entries[0]}" in caplog.text and "1 with the run's own test" in caplog.text


def test_that_nothing_is_left_out_is_logged_too(folder, caplog):
    caplog.set_level(logging.INFO)
    load(folder)
    assert "left out: none of 7 training articles" in caplog.text


def test_columns_are_not_read_as_text(folder, tmp_path):
    write_files(tmp_path, {"test.txt": "Gao\tB-Location\nfell\tO\n"})
    with refused(f"task.leave_out={tmp_path / 'test.txt'}", "looks like CoNLL columns", f"conll:{tmp_path / 'test.txt'}"):
        load(folder, f"task.leave_out={tmp_path / 'test.txt'}")
    assert len(list(read_articles(tmp_path / "test.txt", format="conll"))) == 1


def test_errors(folder, tmp_path, monkeypatch):
    with refused(f"task.leave_out={tmp_path / 'no'}", "no such file"):
        load(folder, f"task.leave_out={tmp_path / 'no'}")
    write_files(tmp_path, {"empty.jsonl": ""})
    with refused(f"task.leave_out={tmp_path / 'empty.jsonl'}", "holds no article"):
        load(folder, f"task.leave_out={tmp_path / 'empty.jsonl'}")
    with refused("no article is left to learn from", f"7 with {folder}"):
        load(folder, f"task.leave_out=[{folder}]")
    with refused("1 different articles cannot be split"):
        load(folder / "t1.txt")
    monkeypatch.chdir(tmp_path)
    config = compose("train", "task=mlm", "data=own", f"data.path={folder}")
    with refused("task.held_back", "data/articles: no such file", "Start from the project's folder"):
        load_unlabelled(config.data, config.task)
