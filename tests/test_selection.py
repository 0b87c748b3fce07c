"""The greedy choice of articles, on made-up vectors and doubts."""

import numpy as np
import pytest

from sitrep.articles import Article, Span
from sitrep.selection import Candidates, centre, choose, items_of, unit


def candidates(angles, doubt, found=None, costs=None) -> Candidates:
    """Vectors of length 1 at angles in degrees; doubt (n, n_labels)."""
    radians, doubt = np.deg2rad(np.array(angles, dtype=float)), np.array(doubt, dtype=float)
    found = np.zeros_like(doubt) if found is None else np.array(found, dtype=float)
    return Candidates(np.stack([np.cos(radians), np.sin(radians)], axis=1), doubt, found, np.array(costs or [1.0] * len(doubt)))


NONE_KNOWN = np.empty((0, 2))


def order(*arguments) -> list[int]:
    return [choice.index for choice in choose(*arguments)]


def test_the_most_doubtful_comes_first_and_of_equals_the_first():
    assert order(candidates([0, 90, 180, 270], [[1], [3], [3], [0]]), NONE_KNOWN, np.array([5]))[:2] == [1, 2]


def test_an_article_like_one_that_was_chosen_waits():
    assert order(candidates([0, 1, 90], [[5], [4.9], [1]]), NONE_KNOWN, np.array([5])) == [0, 2, 1]


def test_an_article_like_what_was_learnt_from_waits():
    known = np.array([[1.0, 0.0]])
    assert order(candidates([2, 90], [[5], [1]]), known, np.array([5])) == [1, 0]
    (first, *_) = choose(candidates([60], [[2]]), known, np.array([3]))
    assert (first.distance, first.worth) == (pytest.approx(0.5), pytest.approx(2 / 4 * 0.5))


def test_rare_labels_are_worth_more_until_there_are_enough():
    both = candidates([0, 90, 180], [[2, 0], [0, 1], [0, 1]], found=[[2, 0], [0, 30], [0, 1]])
    assert order(both, NONE_KNOWN, np.array([40, 1])) == [1, 0, 2]  # the first taught thirty of the second label


def test_a_dearer_article_must_be_worth_it():
    assert order(candidates([0, 90], [[3], [2]], costs=[1000, 200]), NONE_KNOWN, np.array([5])) == [1, 0]


def test_all_candidates_come_once_and_the_same_each_time():
    draw = np.random.default_rng(0)
    angles, doubt = draw.uniform(0, 360, 30), draw.uniform(0, 3, (30, 4))
    first, again = (order(candidates(angles, doubt), NONE_KNOWN, np.arange(4)) for _ in range(2))
    assert first == again and sorted(first) == list(range(30))
    assert order(candidates([], np.empty((0, 4))), NONE_KNOWN, np.arange(4)) == []


def test_vectors_are_compared_without_what_all_have_in_common():
    vectors, known = centre(np.array([[9.0, 1.0], [9.0, -1.0]]), np.array([[9.0, 3.0], [9.0, -3.0]]))
    assert vectors.tolist() == [[0, 1], [0, -1]] and known.tolist() == [[0, 1], [0, -1]]
    assert centre(np.array([[3.0, 4.0]]), np.empty((0, 2)))[0].tolist() == [[0, 0]]  # what has nothing of its own is far from all
    assert [len(part) for part in centre(np.empty((0, 2)), np.empty((0, 2)))] == [0, 0]


def test_a_row_of_zeros_keeps_its_length():
    assert unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_doubt_and_what_is_found_of_mentions_and_classes():
    read = Article(
        "a",
        "Gao, Ber",
        (Span(0, 3, "PLACE", 0.9), Span(5, 8, "PLACE", 0.5)),
        {"topics": ("raid",)},
        {"topics": {"raid": 0.8, "talks": 0.4}},
    )
    doubt, found = items_of([read], [(None, "PLACE"), (None, "DATE"), ("topics", "raid"), ("topics", "talks")])
    assert doubt[0].tolist() == pytest.approx([0.6, 0, 0.2, 0.4]) and found[0].tolist() == [2, 0, 1, 0]
