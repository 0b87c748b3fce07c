"""Batch prediction: every input is accounted for, and a job that was cut off goes on as if nothing had happened."""

import json
import resource
from functools import partial

import pytest
from factories import AS_IT_IS, make_task
from filelock import FileLock

from sitrep.articles import Article, Source
from sitrep.batch import predict_to_file, unfinished
from sitrep.errors import InputError
from sitrep.formats import RowError, read_articles
from sitrep.joint import JointReader
from sitrep.lookup import LookupReader
from sitrep.readers import CalibratedReader
from sitrep.shards import SHARD_ARTICLES, GrowingOutput, cut_shards
from sitrep.workers import read_shards

LOOKUP = LookupReader({"Gao": ("LOCATION", 0.123456), "Niger": ("LOCATION", 1.0)})
ARTICLES = [Article(f"a{number}", f"{number} left Gao, 🚁\n", extra={"date": "2020"}) for number in range(5)]
MADE_BY = {"models": {"task": "0123456789ab"}, "fields": []}
OTHER = {**MADE_BY, "models": {"task": "ffffffffffff"}}
NEW = {"overwrite": False, "strict": False}


MANY = [Article(str(number), "Gao") for number in range(SHARD_ARTICLES)]


def load():
    """Return a reader, as a worker makes it."""
    return JointReader([CalibratedReader(LOOKUP, make_task(), AS_IT_IS, {"LOCATION": 0.1})], MADE_BY["models"])


def predict(output, articles=ARTICLES, made_by=MADE_BY, **options):
    def read_input(reject):
        for article in articles:
            if isinstance(article, RowError):
                reject(article)
            else:
                yield article

    options = {**NEW, **options}
    return predict_to_file(read_input, load, output, made_by, **options)


BAD = RowError(Source("some.jsonl", 3), "not JSON")


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_row_is_written_or_rejected(tmp_path):
    summary = predict(tmp_path / "new" / "out.jsonl", [*ARTICLES[:2], BAD, *ARTICLES[2:], ARTICLES[0]])
    assert (summary.n_articles, summary.n_rejected, summary.n_resumed, summary.n_duplicate_ids) == (6, 1, 0, 1)
    read = list(read_articles(tmp_path / "new" / "out.jsonl"))
    assert [article.id for article in read] == ["a0", "a1", "a2", "a3", "a4", "a0"]
    assert all(article.surface(span) == "Gao" for article in read for span in article.spans)
    rejected = [json.loads(line) for line in (tmp_path / "new" / "out.jsonl.rejected.jsonl").read_text().splitlines()]
    assert rejected == [{"file": "some.jsonl", "line": 3, "reason": "not JSON"}]
    assert read[0].extra == {"date": "2020", "read_by": MADE_BY["models"]}
    assert summary.found == {"LOCATION": 6} and summary.files == [tmp_path / "new" / "out.jsonl"]
    assert names(tmp_path / "new") == ["out.jsonl", "out.jsonl.rejected.jsonl"]


def test_a_job_that_failed_goes_on_where_it_stopped(tmp_path):
    articles = [Article(str(number), "Gao") for number in range(SHARD_ARTICLES + 20)]
    with pytest.raises(InputError, match=r"some.jsonl:3: not JSON"):
        predict(tmp_path / "out.jsonl", [*articles[:-9], BAD, *articles[-9:]], strict=True)
    assert not (tmp_path / "out.jsonl").exists() and unfinished(tmp_path / "out.jsonl", overwrite=False) == MADE_BY
    summary = predict(tmp_path / "out.jsonl", articles)
    assert summary.n_resumed == SHARD_ARTICLES and summary.found == {"LOCATION": len(articles)}
    assert unfinished(tmp_path / "out.jsonl", overwrite=True) == {}
    assert [article.id for article in read_articles(tmp_path / "out.jsonl")] == [article.id for article in articles]


def test_a_finished_output_is_refused_or_replaced(tmp_path):
    output = tmp_path / "out.jsonl"
    predict(output, [*ARTICLES, BAD])
    before = output.read_bytes()
    with pytest.raises(InputError, match=r"exists and is finished.*overwrite=true"):
        predict(output)
    with pytest.raises(InputError, match=r"not JSON"):
        predict(output, [BAD], overwrite=True, strict=True)
    assert output.read_bytes() == before  # until the new one is whole
    predict(output, ARTICLES[:1], overwrite=True)
    assert [article.id for article in read_articles(output)] == ["a0"]
    assert not (tmp_path / "out.jsonl.rejected.jsonl").exists()


def test_the_unfinished_output_of_another_job_is_refused_or_replaced(tmp_path):
    with pytest.raises(InputError):
        predict(tmp_path / "out.jsonl", [*MANY, BAD], strict=True)
    with pytest.raises(InputError, match=r"the unfinished output of another job.*ffffffffffff"):
        predict(tmp_path / "out.jsonl", made_by=OTHER)
    assert predict(tmp_path / "out.jsonl", made_by=OTHER, overwrite=True).n_articles == 5


def test_two_processes_cannot_write_one_output(tmp_path):
    with FileLock(tmp_path / ".out.jsonl.lock"), pytest.raises(InputError, match=r"another process is writing it"):
        predict(tmp_path / "out.jsonl")


def test_an_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written"):
        predict(tmp_path / "file" / "out.jsonl")


def test_a_full_disk_keeps_what_is_done_and_the_same_command_goes_on(tmp_path):
    articles = [Article(str(number), "Gao") for number in range(2 * SHARD_ARTICLES)]
    predict(tmp_path / "whole.jsonl", articles)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = (tmp_path / "whole.jsonl").stat().st_size * 3 // 4
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(InputError, match=r"out.jsonl: cannot be written: File too large; what is done so far is kept"):
            predict(tmp_path / "out.jsonl", articles)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert predict(tmp_path / "out.jsonl", articles).n_resumed == SHARD_ARTICLES
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["out.parquet", "out.csv"])
def test_every_file_of_an_output_counts(tmp_path, name):
    summary = predict(tmp_path / name)
    assert names(tmp_path) == sorted(file.name for file in summary.files) and len(summary.files) == 2
    summary.files[0].unlink()
    with pytest.raises(InputError, match=rf"{summary.files[1].name} exists and is finished"):
        predict(tmp_path / name)


def test_several_workers_write_the_same_bytes(tmp_path):
    articles = [Article(str(number), f"{number} left Gao") for number in range(3 * SHARD_ARTICLES + 1)]
    predict(tmp_path / "one.jsonl", articles)
    predict(tmp_path / "two.jsonl", articles, read=partial(read_shards, n_workers=2))
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_an_interrupted_overwriting_job_goes_on_from_where_its_input_has_changed(tmp_path):
    articles = [Article(str(number), "Gao") for number in range(3 * SHARD_ARTICLES)]
    predict(tmp_path / "out.jsonl", articles[:1])
    with pytest.raises(InputError):
        predict(tmp_path / "out.jsonl", [*articles[:-1], BAD, articles[-1]], strict=True, overwrite=True)
    changed = [*articles[: SHARD_ARTICLES + 1], Article("new", "Gao"), *articles[SHARD_ARTICLES + 1 :]]
    n_read = []

    def counting(shards, load):
        for shard, made in read_shards(shards, load, 1):
            n_read.append(shard.number)
            yield shard, made

    assert predict(tmp_path / "out.jsonl", changed, overwrite=True, read=counting).found == {"LOCATION": len(changed)}
    assert n_read == [1, 2, 3]
    predict(tmp_path / "whole.jsonl", changed)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    with pytest.raises(InputError):
        predict(tmp_path / "out.jsonl", [*changed, BAD], strict=True, overwrite=True)
    assert predict(tmp_path / "out.jsonl", changed[:5], overwrite=True).found == {"LOCATION": 5}  # a shorter input


def test_a_job_that_fails_before_its_first_shard_leaves_nothing_in_the_way(tmp_path):
    with pytest.raises(InputError):
        predict(tmp_path / "out.jsonl", [BAD], strict=True)
    assert names(tmp_path) == [".out.jsonl.lock"] or names(tmp_path) == []
    assert predict(tmp_path / "out.jsonl", made_by=OTHER).n_articles == 5


@pytest.mark.parametrize("manifest", [b"{\n", b"[]\n", b'{"schema_version": 0, "made_by": {}}\n', b"\xff\n"])
def test_a_manifest_that_is_damaged_or_of_another_version(tmp_path, manifest):
    (tmp_path / "out.jsonl.partial").write_bytes(b"")
    (tmp_path / "out.jsonl.partial.manifest.jsonl").write_bytes(manifest)
    with pytest.raises(InputError, match=r"the unfinished output of another job .*overwrite=true"):
        predict(tmp_path / "out.jsonl")
    assert predict(tmp_path / "out.jsonl", overwrite=True).n_articles == 5


def test_killed_between_two_files_of_an_output_the_same_job_writes_both(tmp_path):
    predict(tmp_path / "whole.parquet", MANY)
    growing = GrowingOutput(tmp_path / "out.parquet")
    growing.begin(MADE_BY)
    for shard, made in read_shards(cut_shards(MANY), load, 1):
        growing.append(shard, made)
    (tmp_path / "out.mentions.parquet").write_bytes(b"")
    assert len(predict(tmp_path / "out.parquet", MANY).files) == 2
    assert (tmp_path / "out.mentions.parquet").read_bytes() == (tmp_path / "whole.mentions.parquet").read_bytes()
