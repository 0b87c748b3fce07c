"""Probabilities of mentions that nobody found, against all tag sequences written out; and opinions of trained models."""

import itertools

import numpy as np
import pytest
from factories import make_article, refused

from sitrep.articles import Article, Span
from sitrep.heads.decoding import Marginals, Sequences
from sitrep.judging import Opinion, read_opinions
from sitrep.labels import TagSet
from sitrep.readers import load_reader

TAGS = TagSet(("PERSON", "DATE"))
TEXT = "ab cd ef gh"
WORDS = [(0, 2), (3, 5), (6, 8), (9, 11)]
SPANS = [
    Span(WORDS[first][0], WORDS[last][1], label) for first in range(4) for last in range(first, 4) for label in TAGS.labels
]  # all that there can be


def tag_chains(draw, with_moves: bool):
    """Return emissions of two sequences and scores of neighbours, drawn at random; what is forbidden scores -1e4."""
    moves = draw.normal(size=(5, 5)) if with_moves else np.zeros((5, 5))
    emissions = [draw.normal(size=(n, 5)) for n in (4, 2)]
    for rows in emissions:
        rows[0, TAGS.inside_ids] = -1e4
    return emissions, np.where(TAGS.allowed(), moves, -1e4)


def make_opinion(emissions, moves) -> Opinion:
    starts, ends = ({edges[side]: word for word, edges in enumerate(WORDS)} for side in (0, 1))
    return Opinion(Article("a", TEXT), {}, 0, starts, ends, TAGS, Marginals(Sequences(emissions), moves))


def by_brute_force(emissions, moves, wanted) -> float:
    """Return the share of all tag sequences, weighed by their scores, of which `wanted` is true."""
    paths = list(itertools.product(range(5), repeat=len(emissions)))
    scores = [sum(emissions[i, t] for i, t in enumerate(p)) + sum(moves[a, b] for a, b in itertools.pairwise(p)) for p in paths]
    weights = np.exp(scores)
    return sum(w for path, w in zip(paths, weights, strict=True) if wanted(path)) / weights.sum()


@pytest.mark.parametrize("with_moves", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_probabilities_are_those_of_all_sequences_together(seed, with_moves):
    emissions, moves = tag_chains(np.random.default_rng(seed), with_moves)
    opinion = make_opinion(emissions, moves)

    def bears(path, span):
        first, last = opinion.starts[span.start], opinion.ends[span.end]
        return (first, last + 1, span.label) in TAGS.decode(path)

    def is_free(path, span):
        return not any(path[opinion.starts[span.start] : opinion.ends[span.end] + 1])

    assert opinion.of(SPANS) == pytest.approx([by_brute_force(emissions[0], moves, lambda p, s=s: bears(p, s)) for s in SPANS], abs=1e-9)
    free = [by_brute_force(emissions[0], moves, lambda p, s=s: is_free(p, s)) for s in SPANS]
    assert opinion.of_nothing(SPANS) == pytest.approx(free, abs=1e-9)


def test_a_word_bears_one_mention_or_none():
    emissions, moves = tag_chains(np.random.default_rng(7), True)
    opinion = make_opinion(emissions, moves)
    on_second = [span for span in SPANS if span.start < 5 and span.end > 3]
    assert opinion.of(on_second).sum() + opinion.of_nothing([Span(3, 5, "DATE")])[0] == pytest.approx(1)


def test_what_does_not_end_with_words_has_no_probability():
    opinion = make_opinion(*tag_chains(np.random.default_rng(0), True))
    inside, backwards = Span(0, 1, "DATE"), Span(1, 2, "DATE")
    assert np.isnan(opinion.of([inside, backwards])).all() and np.isnan(opinion.of_nothing([inside])).all()
    assert not len(opinion.of([]))


@pytest.mark.parametrize("arguments", [(), ("model.head=softmax",)])
def test_a_trained_model_is_asked_about_what_it_found_and_about_the_marks(train, ner_run, tmp_path, arguments):
    run = train(tmp_path / "1", "trainer.epochs=2", *arguments) if arguments else ner_run
    gold, reader = run.articles("gold", "dev"), load_reader(run, "cpu")
    opinions = list(read_opinions(reader, gold))
    assert [opinion.pred for opinion in opinions] == list(reader.read(article.bare() for article in gold))
    for article, opinion in zip(gold, opinions, strict=True):
        found = opinion.pred.spans
        if not arguments:  # the crf head's own scores are these probabilities
            assert opinion.of(found) == pytest.approx([span.score for span in found], abs=1e-9)
        either = opinion.of(article.spans) + opinion.of_nothing(article.spans)
        assert not opinion.lost and (either >= 0).all() and (either <= 1 + 1e-9).all()


def test_marks_that_the_head_cannot_hold_are_named(ner_run):
    article = make_article("a", "Gunmen [Iran](PERSON)ian rain, [one\n\ntwo](DATE) men.")
    (opinion,) = read_opinions(load_reader(ner_run, "cpu"), [article])
    assert sorted(opinion.lost.values()) == ["across a blank line", "inside a word"]


def test_heads_that_cannot_be_asked_are_refused(train, tmp_path):
    run = train(tmp_path / "1", "trainer.epochs=1", "model.head=span")
    with refused("model.head=span", "model.head=crf"):
        list(read_opinions(load_reader(run, "cpu"), run.articles("gold", "dev")))
