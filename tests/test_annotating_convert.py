"""action=convert: articles in another format, what is lost told and listed, and nothing written over."""

import json
import sys

import pytest
from factories import refused, write_files
from tiny import compose

from sitrep import jobs
from sitrep.articles import Article, Span
from sitrep.formats import jsonl, read_articles

ARTICLES = [
    Article("a", "Rain in Gao City.", (Span(8, 16, "TOWN"), Span(8, 11, "RIVER"))),
    Article("b", "Wind.", extra={"title": "T"}),
]


def convert(given, output, *options):
    return jobs.annotate(compose("annotate", "action=convert", f"input={given}", f"output={output}", *options))


@pytest.fixture
def given(tmp_path):
    (tmp_path / "in").mkdir()
    jsonl.write(ARTICLES, tmp_path / "in/rows.jsonl")
    return tmp_path / "in"


def test_nothing_lost(given, tmp_path, capsys):
    assert convert(given, tmp_path / "out/rows.parquet") == 0
    assert list(read_articles(tmp_path / "out/rows.parquet")) == ARTICLES
    assert capsys.readouterr().out == f"{tmp_path / 'out/rows.parquet'}: 2 articles, 2 mentions read\nnothing was lost\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rows.parquet"]


def test_what_is_lost_is_shown_by_kind_and_listed_whole(given, tmp_path, capsys):
    output = tmp_path / "rows.conll"
    assert convert(given, output) == 0
    listed = [json.loads(line) for line in (tmp_path / "rows.conll.lost.jsonl").read_text().splitlines()]
    assert listed[0] == {"article_id": "a", "what": "overlapping mentions", "detail": "RIVER 'Gao' [8, 11)"}
    assert [row["what"] for row in listed[1:]] == ["white space of texts", "other fields", "white space of texts"]
    shown = capsys.readouterr().out
    assert "│ overlapping mentions │ 1 │ a: RIVER 'Gao' [8, 11)" in shown and "│ white space of texts │ 2 │" in shown
    assert convert(given, output, "to=jsonl", "overwrite=true") == 0
    assert not (tmp_path / "rows.conll.lost.jsonl").exists()  # of the output that was replaced


@pytest.mark.parametrize("to", ["conll", "annotated"])
def test_strict_writes_nothing_if_anything_is_lost(given, tmp_path, to):
    with refused(
        "strict=true", "1 overlapping mentions", "first: overlapping mentions, a: RIVER 'Gao' [8, 11)", "choose a format that holds it"
    ):
        convert(given, tmp_path / "out", f"to={to}", "strict=true")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_the_input_loses_counts(tmp_path):
    write_files(tmp_path, {"in/n.txt": "In Gao.", "in/n.ann": "T1\tTOWN 3 6\tGao\nR1\tIn Arg1:T1 Arg2:T1\n"})
    with refused("1 relations", "n.ann:2: R1 In Arg1:T1 Arg2:T1"):
        convert(tmp_path / "in", tmp_path / "out.jsonl", "strict=true")


def test_bad_marks_stop_it_with_the_way_out(tmp_path):
    write_files(tmp_path, {"in/n.txt": "In Gao.", "in/n.ann": "T1\tTOWN 3 9\tGao\n"})
    with refused(f"{tmp_path / 'in/n.ann'}:1: ", "action=check"):
        convert(tmp_path / "in", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(("output", "problem"), [("in/x.jsonl", "lies in the input"), ("in", "is the input"), (".", "holds the input")])
def test_the_output_must_stand_apart_from_the_input(given, tmp_path, output, problem):
    with refused(problem, "choose another output"):
        convert(given, tmp_path / output, "to=jsonl", "overwrite=true")


@pytest.mark.parametrize(
    ("files", "options", "problem"),
    [
        ({"out": "x"}, ["to=jsonl"], "exists; give another output, or overwrite=true"),
        ({"out/a.md": "x"}, ["to=annotated"], "exists; give another output, or overwrite=true"),
        ({"out/a.md": "x", "out/deep/mine.xls": "x"}, ["to=annotated", "overwrite=true"], "holds deep/mine.xls, which the format does not"),
        ({"out/a.md": "x"}, ["to=jsonl", "overwrite=true"], "is a folder, and the format writes the other"),
        ({"out": "x"}, ["to=brat", "overwrite=true"], "is a file, and the format writes the other"),
        ({}, [], "the ending does not say what to write; known: .jsonl, "),
        ({}, ["to=html"], "to=html is read, not written"),
        ({}, ["to=jsnl"], "to=jsnl is no format; did you mean 'jsonl'?"),
        ({"out.config.xml": "mine"}, ["to=labelstudio"], "out.config.xml: exists; give another output, or overwrite=true"),
        ({"out.lost.jsonl": "mine"}, ["to=conll"], "out.lost.jsonl: exists; give another output, or overwrite=true"),
    ],
)
def test_what_stands_there_is_kept(given, tmp_path, files, options, problem):
    write_files(tmp_path, files)
    with refused(problem):
        convert(given, tmp_path / "out", *options)
    assert {name: (tmp_path / name).read_text() for name in files} == files
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("output", ["in/rows.jsonl", "in"])
def test_a_glob_must_not_match_the_output(given, tmp_path, output):
    before = (given / "rows.jsonl").read_bytes()
    with refused("is or holds", "rows.jsonl", "which the input", "choose another output"):
        convert(given / "*.jsonl", tmp_path / output, "to=jsonl" if output != "in" else "to=brat", "overwrite=true")
    assert (given / "rows.jsonl").read_bytes() == before


@pytest.mark.parametrize("inside", ["", "/deep"])
def test_texts_of_the_input_must_not_lie_in_the_output(tmp_path, inside):
    write_files(tmp_path, {f"texts{inside}/n.txt": "In Gao.", "in/n.ann": "T1\tTOWN 3 6\tGao\n"})
    with refused("output=", f"holds text_dir={tmp_path / 'texts'}"):
        convert(tmp_path / "in", tmp_path / "texts", "to=brat", f"text_dir={tmp_path / 'texts'}{inside}", "overwrite=true")
    assert (tmp_path / f"texts{inside}/n.txt").exists()


@pytest.mark.parametrize("name", ["file/x.jsonl", f"{'a' * 245}.jsonl", f"{'a' * 239}.jsonl"])
def test_an_output_that_cannot_be_written_is_an_error_of_input(given, tmp_path, name):
    (tmp_path / "file").touch()
    with refused(name, "cannot be written: ", "give another output"):
        convert(given, tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"in", "file"}


@pytest.mark.parametrize("content", [None, "no JSON"])
def test_an_input_that_cannot_be_read_leaves_no_folder_behind(tmp_path, content):
    write_files(tmp_path, {} if content is None else {"in.jsonl": content})
    with refused(str(tmp_path / "in.jsonl")):
        convert(tmp_path / "in.jsonl", tmp_path / "new/out.jsonl")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("to", ["jsonl", "brat", "labelstudio"])
def test_of_a_link_the_target_is_replaced(given, tmp_path, to):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/real")
    for _ in range(2):
        assert convert(given, tmp_path / "link", f"to={to}", "overwrite=true") == 0
    assert (tmp_path / "link").is_symlink()
    assert list(read_articles(tmp_path / "far/real", format=to)) == ARTICLES
    assert {path.name for path in (tmp_path / "far").iterdir()} == {"real", *(["real.config.xml"] if to == "labelstudio" else [])}


@pytest.mark.parametrize("to", ["jsonl", "brat"])
def test_an_output_is_replaced_when_told(given, tmp_path, to):
    for _ in range(2):
        assert convert(given, tmp_path / "out", f"to={to}", "overwrite=true") == 0
    stale = tmp_path / "out/stale.txt"
    if to == "brat":
        stale.write_text("x")
        assert convert(given, tmp_path / "out", f"to={to}", "overwrite=true") == 0
    assert not stale.exists()
    assert list(read_articles(tmp_path / "out", format=to)) == ARTICLES


def test_articles_of_one_id_are_all_written(tmp_path, caplog):
    jsonl.write([Article("a", "One."), Article("a", "Two.")], tmp_path / "in.jsonl")
    assert convert(tmp_path / "in.jsonl", tmp_path / "out", "to=annotated") == 0
    assert [(article.id, article.text) for article in read_articles(tmp_path / "out")] == [("a", "Two."), ("a", "One.")]
    assert "1 articles have an id that another had before" in caplog.text


def test_a_field_that_no_article_has_is_refused(given, tmp_path):
    with refused("fields=[titel]: no article of ", "has such a field; did you mean 'title'?"):
        convert(given, tmp_path / "new/out.jsonl", "fields=[titel]")
    assert not (tmp_path / "new/out.jsonl").exists()


def test_an_annotator_is_asked_for_where_the_format_names_them(given, tmp_path):
    with refused("rows.jsonl:1: annotator=amina: the format does not say who labelled"):
        convert(given, tmp_path / "out.jsonl", "annotator=amina")


def test_standard_input_is_read(tmp_path, monkeypatch):
    (tmp_path / "in.jsonl").write_text("".join(jsonl.format_row(article) + "\n" for article in ARTICLES))
    with (tmp_path / "in.jsonl").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert convert("-", tmp_path / "out.csv") == 0
    assert [article.text for article in read_articles(tmp_path / "out.csv")] == [article.text for article in ARTICLES]


def test_a_stream_is_written_as_it_comes(tmp_path):
    """Of 20,000 articles of 2 KB each, 40 MB, no more than a few are held."""
    import tracemalloc

    with (tmp_path / "in.jsonl").open("w") as lines:
        lines.writelines(jsonl.format_row(Article(str(number), "Rain. " * 350)) + "\n" for number in range(20_000))
    tracemalloc.start()
    assert convert(tmp_path / "in.jsonl", tmp_path / "out.jsonl") == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15e6


def test_fields_at_top_level_become_class_labels_where_they_are_named(tmp_path):
    rows = [{"id": "a", "text": "Rain.", "topics": ["x", "y"], "region": "z"}, {"id": "b", "text": "Wind.", "region": ""}]
    write_files(tmp_path, {"rows.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    convert(tmp_path / "rows.jsonl", tmp_path / "tasks.json", "fields=[topics,region]")
    config = (tmp_path / "tasks.json.config.xml").read_text()
    assert '<Choices name="topics"' in config and '<Choice value="z"/>' in config
    first, second = read_articles(tmp_path / "tasks.json")
    assert (first.labels, first.extra) == ({"topics": ("x", "y"), "region": ("z",)}, {})
    assert second.labels["region"] == ()
