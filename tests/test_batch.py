"""Batch prediction: every input is accounted for, and a job that was cut off goes on as if nothing had happened."""

import itertools
import json

import pytest
from filelock import FileLock

from sitrep.articles import Article, Source, Span
from sitrep.batch import CHUNK, apply_readers, predict_to_file
from sitrep.errors import InputError
from sitrep.formats import RowError, read_articles
from sitrep.lookup import LookupReader

READER = LookupReader({"Gao": ("LOCATION", 0.123456), "Niger": ("LOCATION", 1.0)})
ARTICLES = [Article(f"a{number}", f"{number} left Gao, 🚁\n", extra={"date": "2020"}) for number in range(5)]
MADE_BY = {"runs": ["one"]}
NEW = {"overwrite": False, "strict": False}


class TopicReader:
    """A reader of classes that counts the articles it was asked for."""

    n_read = 0

    def read(self, articles):
        for article in articles:
            self.n_read += 1
            yield article.bare().with_classes("topics", ["talks"], {"talks": 0.987654, "raid": 0.2})


def predict(output, articles=ARTICLES, made_by=MADE_BY, **options):
    def read_input(reject):
        for article in articles:
            if isinstance(article, RowError):
                reject(article)
            else:
                yield article

    options = {**NEW, **options}
    return predict_to_file(read_input, lambda stream: apply_readers([(None, READER)], stream), output, made_by, **options)


BAD = RowError(Source("some.jsonl", 3), "not JSON")


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_several_readers_add_to_one_article():
    article = Article("a", "in Gao", (Span(0, 2, "GUESS"),), {"topics": ("raid",), "region": ("sahel",)}, extra={"date": "2020"})
    (read,) = apply_readers([(None, READER), ("topics", TopicReader())], [article])
    assert read.spans == (Span(3, 6, "LOCATION"),) and read.spans[0].score == 0.123456
    assert read.labels == {"topics": ("talks",), "region": ("sahel",)}  # what no reader predicts stays
    assert read.scores == {"topics": {"talks": 0.987654, "raid": 0.2}}
    assert (read.id, read.text, read.extra) == (article.id, article.text, article.extra)


def test_a_class_field_at_top_level_is_replaced_not_doubled():
    (read,) = apply_readers([("topics", TopicReader())], [Article("a", "x", extra={"topics": ["raid"], "date": "2020"})])
    assert read.labels == {"topics": ("talks",)} and read.extra == {"date": "2020"}


def test_articles_are_read_chunk_by_chunk_in_order():
    reader = TopicReader()
    stream = apply_readers([("topics", reader)], (Article(str(number), "x") for number in itertools.count()))  # without end
    assert [next(stream).id for _ in range(CHUNK + 1)] == [str(number) for number in range(CHUNK + 1)]
    assert reader.n_read == 2 * CHUNK


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
    articles = [Article(str(number), "Gao") for number in range(2 * CHUNK)]
    with pytest.raises(InputError, match=r"some.jsonl:3: not JSON"):
        predict(tmp_path / "out.jsonl", [*articles[: CHUNK + 9], BAD, *articles[CHUNK + 9 :]], strict=True)
    assert not (tmp_path / "out.jsonl").exists()
    summary = predict(tmp_path / "out.jsonl", articles)
    assert summary.n_resumed == CHUNK
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
