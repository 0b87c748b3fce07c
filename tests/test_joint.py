"""Several models in one pass over the articles."""

import itertools

from factories import make_task

from sitrep.articles import Article, Span
from sitrep.calibration import Calibration
from sitrep.joint import CHUNK, JointReader, load_joint
from sitrep.lookup import LookupReader
from sitrep.readers import CalibratedReader

READER = LookupReader({"Gao": ("LOCATION", 0.1235)})
AS_IT_IS = Calibration(20, 20, 1.0, None, None, None)


class TopicReader:
    """A reader of classes that counts the articles it was asked for."""

    n_read = 0

    def read(self, articles):
        for article in articles:
            self.n_read += 1
            yield article.bare().with_classes("topics", ["talks"], {"talks": 0.9877, "raid": 0.2})


def joint(*readers):
    tasks = [make_task() if reader is READER else make_task("multi-label", ["talks", "raid"], "topics") for reader in readers]
    return JointReader([CalibratedReader(*pair, AS_IT_IS) for pair in zip(readers, tasks, strict=True)], {})


def test_several_readers_add_to_one_article():
    article = Article("a", "in Gao", (Span(0, 2, "GUESS"),), {"topics": ("raid",), "region": ("sahel",)}, extra={"date": "2020"})
    (read,) = joint(READER, TopicReader()).read([article])
    assert read.spans == (Span(3, 6, "LOCATION"),) and read.spans[0].score == 0.1235
    assert read.labels == {"topics": ("talks",), "region": ("sahel",)}  # what no reader predicts stays
    assert read.scores == {"topics": {"talks": 0.9877, "raid": 0.2}}
    assert (read.id, read.text, read.extra) == (article.id, article.text, article.extra)


def test_a_class_field_at_top_level_is_replaced_not_doubled():
    (read,) = joint(TopicReader()).read([Article("a", "x", extra={"topics": ["raid"], "date": "2020"})])
    assert read.labels == {"topics": ("talks",)} and read.extra == {"date": "2020"}


def test_what_multiplies_is_part_of_what_the_output_is_made_by(ner_run, tfidf_run):
    references = [str(ner_run.path), str(tfidf_run.path)]
    made_by = load_joint(references, "cpu", None, "torch").made_by
    assert made_by["backends"] == ["torch", "none"]
    assert load_joint(references, "cpu", None, made_by["backends"], threads=1).made_by == made_by  # as a resumed job has it


def test_articles_are_read_chunk_by_chunk_in_order():
    reader = TopicReader()
    stream = joint(reader).read(Article(str(number), "x") for number in itertools.count())  # without end
    assert [next(stream).id for _ in range(CHUNK + 1)] == [str(number) for number in range(CHUNK + 1)]
    assert reader.n_read == 2 * CHUNK
