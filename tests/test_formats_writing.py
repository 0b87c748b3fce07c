"""What writers share: outputs that appear whole or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.formats import write_articles
from sitrep.formats.faults import Losses
from sitrep.formats.writing import FileNames, Target, flat_spans, replacing_files


def test_files_beside_the_output_appear_with_it_or_not_at_all(tmp_path):
    def write(fails):
        with replacing_files(tmp_path / "a.json", (".config.xml",)) as temporary:
            temporary.write_text("tasks")
            temporary.with_name(f"{temporary.name}.config.xml").write_text("config")
            if fails:
                raise KeyError

    with pytest.raises(KeyError):
        write(fails=True)
    assert not list(tmp_path.iterdir())
    write(fails=False)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.json": "tasks", "a.json.config.xml": "config"}


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet", "spacy", "conll", "annotated", "brat", "datasets"])
def test_an_output_that_breaks_off_leaves_what_stood_there(tmp_path, format):
    def articles():
        yield Article("b", "Wind.")
        raise KeyError

    write_articles([Article("a", "Rain.")], tmp_path / "out", format=format)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(KeyError):
        write_articles(articles(), tmp_path / "out", format=format, overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_names_of_a_million_like_ids_are_found_at_once():
    names = FileNames()
    made = {names("a") for _ in range(20_000)}
    assert len(made) == 20_000 and {"a", "a-2", "a-20000"} <= made


@given(marks=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.sampled_from("XY"))))
def test_of_overlapping_mentions_the_longest_stays(marks):
    article = Article("a", "x" * 15, tuple(Span(start, start + length, label) for start, length, label in marks))
    losses = Losses()
    kept = flat_spans(article, Target(losses))
    expected = []
    for span in sorted(article.spans, key=lambda span: (span.start - span.end, span)):
        if all(span.end <= other.start or other.end <= span.start for other in expected):
            expected.append(span)
    assert kept == sorted(expected) and losses.counts.total() == len(marks) - len(kept)
