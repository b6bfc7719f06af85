"""Batches of about equal lengths: every row once, little padding, the same seed the same order."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from MLOps.sentiment.batches import TokenizedSentences, padding_fraction, shuffled_batches, sorted_batches

LENGTHS = st.lists(st.integers(1, 128), max_size=300).map(np.array).map(lambda lengths: lengths.astype(np.int64))


@given(lengths=LENGTHS, batch_size=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_every_row_once_and_no_batch_too_large(lengths: np.ndarray, batch_size: int, seed: int) -> None:
    for batches in (
        sorted_batches(lengths, batch_size),
        shuffled_batches(lengths, batch_size, np.random.default_rng(seed)),
    ):
        assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
        assert all(len(rows) == batch_size for rows in sorted(batches, key=len)[1:])
        assert len(batches) == -(-len(lengths) // batch_size)


@given(lengths=LENGTHS, batch_size=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_padding_is_never_more_than_without_sorting(lengths: np.ndarray, batch_size: int, seed: int) -> None:
    batches = shuffled_batches(lengths, batch_size, np.random.default_rng(seed))
    as_they_come = [
        np.arange(start, min(start + batch_size, len(lengths))) for start in range(0, len(lengths), batch_size)
    ]
    assert 0 <= padding_fraction(lengths, batches) <= padding_fraction(lengths, as_they_come) + 1e-12


def test_padding_of_lengths_like_those_of_sentences_is_below_three_in_a_hundred() -> None:
    lengths = np.random.default_rng(0).gamma(4, 6, 2_000).astype(np.int64) + 3
    assert padding_fraction(lengths, shuffled_batches(lengths, 16, np.random.default_rng(1))) < 0.03


def test_same_seed_same_batches_and_another_company_in_another_epoch() -> None:
    lengths = np.random.default_rng(0).integers(5, 9, 64)
    first, again, other = (shuffled_batches(lengths, 8, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in again]
    assert {frozenset(rows.tolist()) for rows in first} != {frozenset(rows.tolist()) for rows in other}


def test_batch_is_filled_up_to_its_longest() -> None:
    sentences = TokenizedSentences([torch.tensor([5, 6, 7]), torch.tensor([8]), torch.tensor([9, 9, 9, 9])], pad_id=1)
    ids, mask = sentences.batch(np.array([1, 0]))
    assert ids.tolist() == [[8, 1, 1], [5, 6, 7]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert padding_fraction(sentences.lengths, [np.array([1, 0])]) == pytest.approx(2 / 6)
    assert padding_fraction(sentences.lengths, []) == 0
