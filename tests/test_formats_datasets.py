"""Folders of `datasets`: ours, those of splits, and the usual shape of tokens and numbered tags."""

import datasets
import pytest
from factories import refused, write_files

from sitrep.articles import Article, Span
from sitrep.formats import read_articles, write_articles


def save(folder, features=None, **columns):
    datasets.Dataset.from_dict(columns, features=features and datasets.Features(features)).save_to_disk(folder)
    return folder


def test_the_library_reads_what_is_written(tmp_path):
    written = [Article("1", "In Gao", (Span(3, 6, "X", 0.5),), {"topics": ("a",)}, extra={"n": 1}), Article("2", "")]
    write_articles(written, tmp_path / "out", format="datasets")
    found = datasets.load_from_disk(str(tmp_path / "out"))
    assert found["text"][:] == ["In Gao", ""] and found["topics"][:] == [["a"], None]
    assert found[0]["spans"] == [{"start": 3, "end": 6, "label": "X", "text": "Gao", "score": 0.5}]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


NAMED = {
    "tokens": datasets.List(datasets.Value("string")),
    "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-X", "I-X"])),
    "kind": datasets.ClassLabel(names=["rain", "war"]),
}


def test_tokens_and_numbered_tags_of_all_splits(tmp_path):
    save(tmp_path / "d/train", NAMED, tokens=[["In", "Gao", "City"], []], ner_tags=[[0, 1, 2], []], kind=[1, -1])
    save(tmp_path / "d/dev", tokens=[["Gao"]], ner_tags=[["S-X"]], id=["one"])
    dev, first, second = read_articles(tmp_path / "d", format="datasets")
    assert (dev.id, dev.spans) == ("one", (Span(0, 3, "X"),))
    assert first == Article("train:1", "In Gao City", (Span(3, 11, "X"),), extra={"kind": "war"})
    assert second == Article("train:2", "", extra={"kind": None})
    (alone,) = read_articles(tmp_path / "d/dev", format="datasets")
    assert alone == dev


def test_classes_beside_a_text(tmp_path):
    save(tmp_path / "d", {"text": datasets.Value("string"), "label": NAMED["kind"]}, text=["Rain fell."], label=[0])
    (article,) = read_articles(tmp_path / "d", format="datasets")
    assert article == Article("d:1", "Rain fell.", extra={"label": "rain"})


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"tokens": [["Gao"]], "ner_tags": [[1]]}, "numbers that the set's features name (ClassLabel)"),
        ({"tokens": [["Gao", "x"]], "ner_tags": [["O"]]}, "must be lists of one length"),
        ({"tokens": [["Gao", ""]], "ner_tags": [["O", "O"]]}, "an empty token"),
        ({"tokens": [["Gao"]], "ner_tags": [["X"]]}, "'X' on 'Gao' is no tag"),
        ({"body": ["Gao"]}, "no column 'text'"),
    ],
)
def test_a_bad_row_names_the_folder_and_the_row(tmp_path, row, problem):
    save(tmp_path / "d", **row)
    with refused(str(tmp_path / "d"), ":1: ", problem):
        list(read_articles(tmp_path / "d", format="datasets"))


def test_a_folder_that_only_looks_like_one_is_refused(tmp_path):
    write_files(tmp_path, {"d/dataset_info.json": "{}"})
    with refused(f"{tmp_path / 'd/dataset_info.json'}", "cannot be read as a data set of the library datasets"):
        list(read_articles(tmp_path / "d", format="datasets"))
