import pytest
from factories import refused, write_files

from sitrep.formats import list_files, read_articles
from sitrep.formats.files import decode

MARKED = "---\nid: {}\n---\nIn [Gao](LOCATION)."


def ids(*args, **kwargs):
    return [article.id for article in read_articles(*args, **kwargs)]


@pytest.fixture
def folder(tmp_path):
    files = {
        "b/two.md": MARKED.format("two"), "a.txt": "plain", "c.jsonl": '{"text": "row"}', "plain.md": "# No front matter",
        "README.md": "about", "b/readme.txt": "about", ".hidden.txt": "x", ".git/x.txt": "x", "splits.csv": "id,split\n",
    }  # fmt: skip
    return write_files(tmp_path / "data", files)


def test_folder_is_read_deep_sorted_and_by_ending(folder, caplog):
    assert ids(folder) == ["a", "two", "c:1", "plain"]
    assert not caplog.text


def test_unknown_endings_are_counted_in_a_warning(folder, caplog):
    write_files(folder, {"x.pdf": "x", "y.docx": "y"})
    assert len(ids(folder)) == 4
    assert f"{folder}: 2 files of unknown ending are not read, such as {folder / 'x.pdf'}" in caplog.text


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*.md", ["about", "No front matter"]), ("**/two.*", ["In Gao."]), ("b/[t]wo.md", ["In Gao."]), ("a.txt", ["plain"])],
)
def test_globs_and_files(folder, pattern, expected):
    assert [article.text.removeprefix("# ") for article in read_articles(folder / pattern)] == expected


def test_a_path_with_brackets_is_taken_as_it_is_before_it_is_a_glob(tmp_path):
    write_files(tmp_path, {"news [1].txt": "here", "news 1.txt": "not here"})
    assert ids(tmp_path / "news [1].txt") == ["news [1]"]


def test_format_overrides_the_ending_but_never_reads_the_split(tmp_path):
    write_files(tmp_path, {"a.article": MARKED.format("a"), "b.txt": MARKED.format("b"), "splits.csv": "id,split\na,train\n"})
    assert ids(tmp_path, format="annotated") == ["a", "b"]
    assert ids(tmp_path / "b.txt") == ["b"]


@pytest.mark.parametrize("pattern", ["", "**/*.json"])
def test_a_format_reads_its_own_files_of_a_folder_or_glob_only(tmp_path, pattern):
    files = ["a/documents.json", "a/entities.json", "a/LICENSE", "README.md", "b/train.conll", "b/dev.txt", "b/notes.md", "c/x.tsv"]
    write_files(tmp_path, dict.fromkeys(files, ""))
    assert [file.name for file in list_files(tmp_path / pattern, "re3d")] == ["documents.json"]
    assert [file.name for file in list_files(tmp_path / "b", "conll")] == ["dev.txt", "train.conll"]
    assert [file.name for file in list_files(tmp_path / "c", "indicators")] == ["x.tsv"]
    with refused("holds no article; format=indicators reads *.tsv"):
        list_files(tmp_path / "b", "indicators")


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path):
    write_files(tmp_path, {"rows.csv": "Rain.\t1\n"})
    assert ids(tmp_path / "rows.csv", format="indicators") == ["rows-1"]


def test_texts_of_brat_are_no_articles_of_their_own(tmp_path):
    write_files(tmp_path, {"n.txt": "In Gao.", "n.ann": "T1\tLOCATION 3 6\tGao\n", "other.txt": "Rain."})
    assert [(article.id, len(article.spans)) for article in read_articles(tmp_path)] == [("n", 1), ("other", 0)]


@pytest.mark.parametrize("files", [{}, {"README.md": "about"}, {".x.txt": "x"}, {"splits.csv": "id,split\n"}, {"x.pdf": "x"}])
def test_folder_without_articles(tmp_path, files):
    write_files(tmp_path, files)
    with refused(f"{tmp_path}: holds no article", ".md, .txt, .jsonl, .ann", "format="):
        list_files(tmp_path)


@pytest.mark.parametrize("path", ["nowhere.txt", "none/*.md", "none/**/*.md"])
def test_path_that_matches_nothing(tmp_path, path):
    with refused(f"{tmp_path / path}: no such file, folder or glob match"):
        ids(tmp_path / path)


def test_a_path_that_the_system_refuses(tmp_path):
    with refused("cannot be read: File name too long"):
        ids(tmp_path / ("x" * 5000))


def test_unknown_format_and_ending(tmp_path):
    write_files(tmp_path, {"a.pdf": "x"})
    with refused("format='jsnol' is no format", "did you mean 'jsonl'?"):
        ids(tmp_path, format="jsnol")
    with refused(f"{tmp_path / 'a.pdf'}:1: unknown file ending '.pdf'", ".md, .txt, .jsonl, .ann", "format="):
        ids(tmp_path / "a.pdf")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("Gao".encode("utf-16"), "the file is UTF-16, not UTF-8; convert it with: iconv"),
        (b"Gao\x00\x01", "the file is binary (NUL byte at byte 3)"),
        ("Ségou".encode("latin-1"), "not UTF-8: byte 0xe9 at byte 1; convert the file"),
        (b"\xef\xbb\xbfAt S\xe9gou", "not UTF-8: byte 0xe9 at byte 7; convert the file"),
    ],
)
def test_what_is_not_utf8_is_rejected_with_file_and_byte(tmp_path, data, problem):
    write_files(tmp_path, {"bad.txt": data, "good.txt": "x"})
    with refused(f"{tmp_path / 'bad.txt'}:1: {problem}"):
        ids(tmp_path)
    rejected = []
    assert ids(tmp_path, reject=rejected.append) == ["good"]
    assert [error.source.path for error in rejected] == [str(tmp_path / "bad.txt")]


def test_text_is_kept_as_it_is_but_for_the_byte_order_mark(tmp_path):
    write_files(tmp_path, {"a.txt": b"\xef\xbb\xbf\r\n one\r\n\n"})
    assert [article.text for article in read_articles(tmp_path)] == ["\r\n one\r\n\n"]


def test_a_byte_order_mark_counts_in_the_first_line_only():
    assert decode(b"\xef\xbb\xbfx", "f", line=1) == "x"
    assert decode(b"\xef\xbb\xbfx", "f", line=2) == "\ufeffx"


def test_reading_is_a_stream(tmp_path):
    write_files(tmp_path, {"a.txt": "x", "b.txt": b"\0"})
    assert next(read_articles(tmp_path)).id == "a"
