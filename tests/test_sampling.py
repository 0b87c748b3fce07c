"""Batches: every row once, always as many, little padding, another order in each epoch and the same for each seed."""

import numpy as np
import pytest
from factories import refused
from hypothesis import given
from hypothesis import strategies as st

from sitrep.sampling import BudgetBatches, cut_evenly, pack, padded_size

SHAPES = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 300)), min_size=1, max_size=60)


def epochs(batches: BudgetBatches, n: int = 3) -> list[list[list[int]]]:
    found = []
    for epoch in range(n):
        batches.set_epoch(epoch)
        found.append(list(batches))
    return found


@given(shapes=SHAPES, budget=st.integers(1, 3000), n_processes=st.integers(1, 3), seed=st.integers(0, 9))
def test_every_row_once_in_the_same_number_of_batches(shapes, budget, n_processes, seed):
    if len(shapes) < n_processes:
        with refused(f"{n_processes} processes cannot share {len(shapes)} training rows"):
            BudgetBatches([shapes], budget, seed, n_processes)
        return
    ranks = [BudgetBatches([shapes], budget, seed, n_processes, rank) for rank in range(n_processes)]
    for shares in zip(*map(epochs, ranks), strict=True):
        assert {len(share) for share in shares} == {len(ranks[0])} and all(batch for share in shares for batch in share)
        assert sorted(row for share in shares for batch in share for row in batch) == list(range(len(shapes)))
    assert epochs(ranks[0]) == epochs(BudgetBatches([shapes], budget, seed, n_processes))


@given(cuts=st.lists(SHAPES, min_size=1, max_size=4), budget=st.integers(1, 3000), n_processes=st.integers(1, 3))
def test_epochs_take_the_cuts_in_turn(cuts, budget, n_processes):
    if min(map(len, cuts)) < n_processes:
        with refused(f"{n_processes} processes cannot share {min(map(len, cuts))} training rows"):
            BudgetBatches(cuts, budget, 0, n_processes)
        return
    ranks = [BudgetBatches(cuts, budget, 0, n_processes, rank) for rank in range(n_processes)]
    for epoch, shares in enumerate(zip(*(epochs(batches, 5) for batches in ranks), strict=True)):
        cut = epoch % len(cuts)
        first = sum(map(len, cuts[:cut]))
        assert sorted(row for share in shares for batch in share for row in batch) == list(range(first, first + len(cuts[cut])))
        assert {len(share) for share in shares} == {len(ranks[0])}


@given(shapes=SHAPES, budget=st.integers(1, 3000))
def test_packed_rows_stay_within_the_budget(shapes, budget):
    batches = pack(shapes, range(len(shapes)), budget)
    assert [row for batch in batches for row in batch] == list(range(len(shapes)))
    assert all(len(batch) == 1 or padded_size(shapes, batch) <= budget for batch in batches)


@given(shapes=SHAPES, data=st.data())
def test_shared_out_batches_are_as_small_as_can_be(shapes, data):
    n_batches = data.draw(st.integers(1, len(shapes)))
    batches = cut_evenly(shapes, range(len(shapes)), n_batches)
    assert len(batches) == n_batches and all(batches)
    assert [row for batch in batches for row in batch] == list(range(len(shapes)))
    largest = max(padded_size(shapes, batch) for batch in batches)
    assert len(pack(shapes, range(len(shapes)), largest - 1)) > n_batches or any(n * length == largest for n, length in shapes)


@pytest.mark.parametrize(("n_rows", "share"), [(600, 0.92), (5000, 0.97)])
def test_sentences_of_any_length_hold_little_padding_and_meet_others(n_rows, share):
    lengths = np.random.default_rng(0).lognormal(3.2, 0.6, n_rows).astype(int) + 4
    shapes = [(1, int(length)) for length in lengths]
    one, two, _ = epochs(BudgetBatches([shapes], 1024, seed=1))
    for epoch in (one, two):
        sizes = [padded_size(shapes, batch) for batch in epoch]
        assert lengths.sum() / sum(sizes) > share
        assert np.mean([size <= 1.15 * 1024 for size in sizes]) > 0.97
    together = [{frozenset(batch) for batch in epoch} for epoch in (one, two)]
    assert len(together[0] & together[1]) < 0.2 * len(one)


def test_another_seed_gives_another_order():
    shapes = [(1, 10 + row % 7) for row in range(100)]
    assert epochs(BudgetBatches([shapes], 100, 1)) != epochs(BudgetBatches([shapes], 100, 2))
