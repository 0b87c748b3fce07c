"""Which files a path stands for: links, pipes, names of all kinds, outputs in the input folder."""

import os

import pytest
from factories import refused, write_files

from sitrep.formats import read_articles


def read(path, **options):
    """Return the ids, and the file's name and the reason of each reject."""
    rejected = []
    ids = [article.id for article in read_articles(path, reject=rejected.append, **options)]
    return ids, [(error.source.path.rpartition("/")[2], error.reason) for error in rejected]


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "in", {"a.txt": "a", "sub/b.txt": "b", "sub/deep/c.txt": "c"})


def test_links_to_the_folder_or_into_it_are_not_read_twice(folder):
    for name, target in {"loop": folder, "sub/up": folder, "sub/deep/self": folder / "sub" / "deep", "again": folder / "sub"}.items():
        (folder / name).symlink_to(target)
    assert read(folder) == (["a", "sub/b", "sub/deep/c"], [])
    assert sorted(read(folder / "**" / "*.txt")[0]) == ["a", "sub/b", "sub/deep/c"]


def test_a_link_to_a_folder_around_the_input_is_left_out_with_a_warning(folder, caplog):
    (folder / "out").symlink_to(folder.parent)
    write_files(folder.parent, {"beside.txt": "x"})
    assert read(folder) == (["a", "sub/b", "sub/deep/c"], [])
    assert f"{folder / 'out'}: a link to a folder that holds {folder} is not followed" in caplog.text


def test_linked_folders_elsewhere_are_read_once_and_linked_files_under_their_own_names(folder, tmp_path):
    write_files(tmp_path / "else", {"d.txt": "d", "in/e.txt": "e"})
    write_files(folder, {".store/f.txt": "f"})
    links = {
        "m": tmp_path / "else",
        "n": tmp_path / "else" / "in",
        "z": tmp_path / "else",
        "hidden": folder / ".store",
        "g.txt": folder / "a.txt",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    (tmp_path / "else" / "in" / "back").symlink_to(tmp_path / "else")
    assert read(folder) == (["a", "g", "hidden/f", "m/d", "m/in/e", "sub/b", "sub/deep/c"], [])


def test_what_is_no_file_is_rejected_and_never_waited_for(folder):
    (folder / "gone.txt").symlink_to(folder / "nowhere.txt")
    (folder / "self.txt").symlink_to(folder / "self.txt")
    os.mkfifo(folder / "pipe.txt")
    ids, rejected = read(folder)
    assert ids == ["a", "sub/b", "sub/deep/c"]
    assert rejected[0] == ("gone.txt", "cannot be read: No such file or directory")
    assert rejected[1] == ("pipe.txt", "is a pipe, socket or device; such a one is read only where it is itself the input")
    assert rejected[2] == ("self.txt", "cannot be read: Too many levels of symbolic links")


def test_a_pipe_that_is_named_is_read(tmp_path):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write('{"text": "Rain."}\n')
    assert [article.text for article in read_articles(f"/dev/fd/{reading}", format="jsonl")] == ["Rain."]
    os.close(reading)


def test_what_may_not_be_read_is_rejected(folder):
    """As another user where this is run by root, who may read everything."""
    names = {"a.txt": "cannot be read: Permission denied", "sub": "the folder cannot be read: Permission denied"}
    write_files(folder, {"z.txt": "z"})
    is_root = os.geteuid() == 0
    if is_root:
        for parent in [folder, *folder.parents][: len(folder.parents) - 1]:
            parent.chmod(parent.stat().st_mode | 0o055)
    for name in names:
        (folder / name).chmod(0)
    try:
        if is_root:
            os.seteuid(65534)
        ids, rejected = read(folder)
    finally:
        if is_root:
            os.seteuid(0)
        for name in names:
            (folder / name).chmod(0o755)
    assert ids == ["z"] and dict(rejected) == names


def test_names_of_all_kinds(tmp_path):
    names = ["two words.txt", "🚁 غزة.txt", "a=b,[c] 'd'.txt", "new\nline.txt", "x.tar.txt.gz.txt", "UPPER.TXT"]
    write_files(tmp_path, dict.fromkeys(names, "x"))
    assert sorted(read(tmp_path)[0]) == sorted(name[:-4] for name in names)


def test_a_name_that_is_not_utf8_is_rejected_in_words_that_can_be_written(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system holds names in UTF-8 only")
    write_files(tmp_path, {"b.txt": "x"})
    assert read(tmp_path) == (["b"], [("caf\\xe9.txt", "the file's name is not UTF-8; rename it")])


def test_the_output_and_what_belongs_to_it_are_no_input(folder):
    others = ["out.jsonl", "out.jsonl.rejected.jsonl", "out.jsonl.partial.jsonl", "out.jsonl.shards/0.jsonl", "out2.jsonl", "sub/out.jsonl"]
    write_files(folder, dict.fromkeys(others, '{"text": "x"}\n'))
    expected = ["a", "out2:1", "sub/b", "sub/deep/c", "sub/out:1"]
    (folder.parent / "alias").symlink_to(folder)
    for output in (folder / "out.jsonl", folder / "sub" / ".." / "out.jsonl", folder.parent / "alias" / "out.jsonl"):
        assert read(folder, exclude=output) == (expected, [])
        assert read(folder / "*.jsonl", exclude=[output]) == (["out2:1"], [])
        assert read(folder / "**" / "*.jsonl", exclude=output) == (["out2:1", "sub/out:1"], [])
    with refused(f"{folder / 'out.jsonl'}: is the output"):
        read(folder / "out.jsonl", exclude=folder / "out.jsonl")


def test_an_output_that_is_not_there_yet(folder):
    assert read(folder, exclude=folder / "new" / "out.jsonl")[0] == ["a", "sub/b", "sub/deep/c"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.txt", ["a", "sub/b", "sub/deep/c"]),
        ("**", ["a", "sub/b", "sub/deep/c"]),
        ("**/deep/*", ["sub/deep/c"]),
        ("s*/**/[bc].txt", ["sub/b", "sub/deep/c"]),
        ("*/*.txt", ["sub/b"]),
        ("sub/*/c.txt", ["deep/c"]),
        ("?.txt", ["a"]),
    ],
)
def test_ids_of_a_glob_are_paths_below_its_first_star(folder, pattern, expected):
    assert read(folder / pattern)[0] == expected


def test_unknown_endings_are_counted_with_what_packs_them(folder, caplog):
    write_files(folder, {"x.pdf.gz": "x", "y.zst": "y", "z.TXT": "z"})
    assert read(folder)[0] == ["a", "sub/b", "sub/deep/c", "z"]
    assert f"{folder}: 2 files of unknown ending are not read, such as {folder / 'x.pdf.gz'}" in caplog.text
