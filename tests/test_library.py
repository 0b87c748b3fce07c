"""sitrep in another program: loaded in one line, without the commands' machinery, read from several threads."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from factories import refused

import sitrep
from sitrep.articles import Article
from sitrep.formats import read_articles
from sitrep.joint import load_joint


@pytest.fixture(scope="module")
def reader(ner_run, topics_run):
    return sitrep.load([ner_run.path, str(topics_run.path)], device="cpu")


def test_texts_become_articles_as_predict_has_them(reader, ner_run, topics_run, corpus):
    texts = [article.text for article in read_articles(corpus)]
    found = list(reader.read(texts))
    assert [article.id for article in found] == [str(number) for number in range(len(texts))]
    bare = (Article(article.id, article.text) for article in found)
    expected = load_joint([str(ner_run.path), str(topics_run.path)], "cpu", None).read(bare)
    assert found == list(expected) and any(article.spans for article in found)


def test_articles_keep_what_is_theirs(reader):
    given = Article("mine", "Gunmen left Gao .", labels={"region": ("sahel",)}, extra={"date": "2020"})
    found = list(reader.read(["Gao", given]))
    assert [article.id for article in found] == ["0", "mine"]
    assert found[1].extra == given.extra and found[1].labels["region"] == ("sahel",) and "topics" in found[1].scores


def test_texts_are_read_as_a_stream(reader):
    assert next(reader.read("in Gao ." for _ in iter(int, 1))).id == "0"  # without end
    assert list(reader.read([])) == []


def test_one_run_and_a_least_score(ner_run, corpus):
    texts = [article.text for article in read_articles(corpus)]
    reader = sitrep.load(ner_run.path, device="cpu", min_score=1)
    n_found = sum(len(article.spans) for article in reader.read(texts))
    everything = sum(len(article.spans) for article in sitrep.load(str(ner_run.path), device="cpu").read(texts))
    assert everything > 0 and n_found + reader.left_out().total() == everything


def test_what_is_no_list_of_texts_is_refused(reader, ner_run):
    for one in ("Gao", Article("a", "Gao")):
        with refused("several texts", "reader.read([text])"):
            reader.read(one)
    with refused("text 1: expected a str or an Article, found int"):
        list(reader.read(["Gao", 3]))
    with refused("min_score=2 must be a number from 0 to 1"):
        sitrep.load(ner_run.path, min_score=2)


def test_threads_read_at_the_same_time(ner_run, topics_run, corpus):
    texts = [article.text for article in read_articles(corpus)]
    reader = sitrep.load([ner_run.path, topics_run.path], device="cpu", min_score=0.7)
    expected = list(reader.read(texts))
    left_out = reader.left_out()
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(lambda _: list(reader.read(texts)), range(16)):
            assert found == expected
    assert reader.left_out() == {label: 17 * n for label, n in left_out.items()}


def test_neither_importing_nor_reading_needs_the_commands_machinery(ner_run):
    code = (
        "import sys, sitrep; assert not {'torch', 'numpy', 'omegaconf'} & sys.modules.keys()\n"
        f"(found,) = sitrep.load({str(ner_run.path)!r}, device='cpu').read(['in Gao .']); print(found.id, 'hydra' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["0", "False"]


def test_a_name_that_is_not_offered():
    with pytest.raises(AttributeError, match="no attribute 'Reader'"):
        sitrep.Reader
