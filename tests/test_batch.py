"""Batch prediction: every input is accounted for, and a job that was cut off goes on as if nothing had happened."""

import json

import pytest
from filelock import FileLock

from sitrep.articles import Article, Source
from sitrep.batch import predict_to_file
from sitrep.errors import InputError
from sitrep.formats import RowError, read_articles
from sitrep.lookup import LookupReader

READER = LookupReader({"Gao": ("LOCATION", 0.123456), "Niger": ("LOCATION", 1.0)})
ARTICLES = [Article(f"a{number}", f"{number} left Gao, 🚁\n", extra={"date": "2020"}) for number in range(5)]
MADE_BY = {"runs": ["one"]}
NEW = {"overwrite": False, "strict": False}


def predict(output, articles=ARTICLES, made_by=MADE_BY, **options):
    def read_input(reject):
        for article in articles:
            if isinstance(article, RowError):
                reject(article)
            else:
                yield article

    options = {**NEW, **options}
    return predict_to_file(read_input, READER.read, output, made_by, **options)


BAD = RowError(Source("some.jsonl", 3), "not JSON")


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("now", "found"), [([ARTICLES[3], *ARTICLES], "article 'a3'"), (ARTICLES[:1], "its end")])
def test_an_input_that_changed_since_an_interruption_is_refused(tmp_path, now, found):
    def broken():
        yield from ARTICLES[:2]
        raise KeyboardInterrupt

    def read_one(article):
        return next(READER.read([article]))

    with pytest.raises(KeyboardInterrupt):
        predict_to_file(
            lambda reject: broken(),
            lambda stream: (next(READER.read([article])) for article in stream),
            tmp_path / "out.jsonl",
            MADE_BY,
            **NEW,
        )
    with pytest.raises(InputError, match=f"the input has changed since .* now comes {found}"):
        predict(tmp_path / "out.jsonl", now)
    assert predict(tmp_path / "out.jsonl").n_resumed == 2


def test_every_row_is_written_or_rejected(tmp_path):
    summary = predict(tmp_path / "new" / "out.jsonl", [*ARTICLES[:2], BAD, *ARTICLES[2:], ARTICLES[0]])
    assert (summary.n_articles, summary.n_rejected, summary.n_resumed, summary.n_duplicate_ids) == (6, 1, 0, 1)
    read = list(read_articles(tmp_path / "new" / "out.jsonl"))
    assert [article.id for article in read] == ["a0", "a1", "a2", "a3", "a4", "a0"]
    assert all(article.surface(span) == "Gao" for article in read for span in article.spans)
    rejected = [json.loads(line) for line in (tmp_path / "new" / "out.jsonl.rejected.jsonl").read_text().splitlines()]
    assert rejected == [{"file": "some.jsonl", "line": 3, "reason": "not JSON"}]
    assert names(tmp_path / "new") == ["out.jsonl", "out.jsonl.rejected.jsonl"]


def test_cut_off_anywhere_the_same_command_gives_the_same_bytes(tmp_path):
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    predict(whole)
    expected = whole.read_bytes()
    for position in range(0, len(expected) + 1, 7):
        (tmp_path / "cut.jsonl.partial").write_bytes(expected[:position])
        (tmp_path / "cut.jsonl.partial.json").write_text(json.dumps(MADE_BY))
        summary = predict(cut)
        assert cut.read_bytes() == expected
        assert summary.n_articles == len(ARTICLES) and summary.n_resumed == expected[:position].count(b"\n")
        cut.unlink()
    assert names(tmp_path) == ["whole.jsonl"]


def test_a_job_that_failed_goes_on_where_it_stopped(tmp_path):
    articles = [Article(str(number), "Gao") for number in range(128)]
    with pytest.raises(InputError, match=r"some.jsonl:3: not JSON"):
        predict(tmp_path / "out.jsonl", [*articles[:73], BAD, *articles[73:]], strict=True)
    assert not (tmp_path / "out.jsonl").exists()
    summary = predict(tmp_path / "out.jsonl", articles)
    assert summary.n_resumed == 73
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
        predict(tmp_path / "out.jsonl", [BAD], strict=True)
    with pytest.raises(InputError, match=r"the unfinished output of another job"):
        predict(tmp_path / "out.jsonl", made_by={"runs": ["other"]})
    assert predict(tmp_path / "out.jsonl", made_by={"runs": ["other"]}, overwrite=True).n_articles == 5


def test_two_processes_cannot_write_one_output(tmp_path):
    with FileLock(tmp_path / ".out.jsonl.lock"), pytest.raises(InputError, match=r"another process is writing it"):
        predict(tmp_path / "out.jsonl")


def test_an_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written"):
        predict(tmp_path / "file" / "out.jsonl")
