"""Several models in one pass over the articles."""

import itertools

from factories import AS_IT_IS, make_task

from sitrep.articles import Article, Span
from sitrep.joint import JointReader, load_joint, open_joint
from sitrep.lookup import LookupReader
from sitrep.readers import CalibratedReader
from sitrep.sampling import LOOK_AHEAD

READER = LookupReader({"Gao": ("LOCATION", 0.1235)})


class TopicReader:
    """A reader of classes that counts the articles it was asked for."""

    n_read = 0

    def read(self, articles):
        for article in articles:
            self.n_read += 1
            yield article.bare().with_classes("topics", ["talks"], {"talks": 0.9877, "raid": 0.2})


def joint(*readers):
    tasks = [make_task() if reader is READER else make_task("multi-label", ["talks", "raid"], "topics") for reader in readers]
    return JointReader([CalibratedReader(*pair, AS_IT_IS) for pair in zip(readers, tasks, strict=True)], {"task": "0" * 12})


def test_several_readers_add_to_one_article():
    article = Article("a", "in Gao", (Span(0, 2, "GUESS"),), {"topics": ("raid",), "region": ("sahel",)}, extra={"date": "2020"})
    (read,) = joint(READER, TopicReader()).read([article])
    assert read.spans == (Span(3, 6, "LOCATION"),) and read.spans[0].score == 0.1235
    assert read.labels == {"topics": ("talks",), "region": ("sahel",)}  # what no reader predicts stays
    assert read.scores == {"topics": {"talks": 0.9877, "raid": 0.2}}
    assert (read.id, read.text) == (article.id, article.text)
    assert read.extra == {"date": "2020", "read_by": {"task": "0" * 12}}


def test_a_class_field_at_top_level_is_replaced_not_doubled():
    (read,) = joint(TopicReader()).read([Article("a", "x", extra={"topics": ["raid"], "date": "2020"})])
    assert read.labels == {"topics": ("talks",)} and read.extra == {"date": "2020", "read_by": {"task": "0" * 12}}


def test_what_multiplies_is_known_and_can_be_given_again(ner_run, tfidf_run):
    runs = open_joint([str(ner_run.path), str(tfidf_run.path)])
    backends = load_joint(runs, "cpu", None, "torch").backends
    assert backends == ["torch", "none"]
    assert load_joint(runs, "cpu", None, backends, threads=1).backends == backends  # as a resumed job does


def test_articles_are_read_chunk_by_chunk_in_order():
    reader = TopicReader()
    stream = joint(reader).read(Article(str(number), "x") for number in itertools.count())  # without end
    assert [next(stream).id for _ in range(LOOK_AHEAD + 1)] == [str(number) for number in range(LOOK_AHEAD + 1)]
    assert reader.n_read == 2 * LOOK_AHEAD
