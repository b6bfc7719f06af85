"""Near-duplicates: every pair and no other, in any order, and what follows for splits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.sentiment import near_duplicates
from MLOps.sentiment.near_duplicates import NearDuplicates, find_near_duplicates

WORDS = st.lists(st.sampled_from(["up", "ups", "down", "the", "shares", "share"]), max_size=6).map(" ".join)
TEXTS = st.lists(WORDS | st.text("ab ", max_size=9), max_size=12)
LIMITS = st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


def compared_one_by_one(forms: tuple[str, ...], length: int, min_jaccard: float) -> list[tuple[int, int]]:
    """The definition: the shared part of two sets of shingles."""
    padded = [f" {form} ".ljust(length) for form in forms]
    sets = [{text[k : k + length] for k in range(len(text) - length + 1)} for text in padded]
    return [
        (i, j)
        for i in range(len(sets))
        for j in range(i + 1, len(sets))
        if len(sets[i] & sets[j]) >= min_jaccard * len(sets[i] | sets[j]) - 1e-9
    ]


@settings(deadline=None)
@given(TEXTS, st.integers(2, 5), LIMITS)
def test_finds_what_the_definition_finds(texts: list[str], length: int, min_jaccard: float) -> None:
    near = find_near_duplicates(texts, length, min_jaccard)
    assert [(i, j) for i, j in near.pairs.tolist()] == compared_one_by_one(near.forms, length, min_jaccard)


def test_the_limit_itself_counts() -> None:
    """14 of 25 runs are common; in floating point .56 * 25 is more than 14."""
    texts = ["abcdefghijklm", "abcdefghijklm nopqrstuvw"]
    assert find_near_duplicates(texts, 2, 0.56).pairs.tolist() == [[0, 1]]
    assert find_near_duplicates(texts, 2, 0.57).pairs.tolist() == []


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"shares of company {number} rose by {number % 7} percent today" for number in range(60)]
    whole = find_near_duplicates(texts, 4, 0.7)
    monkeypatch.setattr(near_duplicates, "_MAX_CANDIDATES", 50)
    monkeypatch.setattr(near_duplicates, "_MAX_COMPARED", 7)
    assert len(whole.pairs) > 100
    np.testing.assert_array_equal(find_near_duplicates(texts, 4, 0.7).pairs, whole.pairs)


def test_case_and_punctuation_do_not_count() -> None:
    near = find_near_duplicates(["Up 5%!", "up, 5", "\U0001f680", "\U0001f4c9"], 5, 0.8)
    assert near.form.tolist() == [near.form[0], near.form[0], *near.form[2:]]
    assert len(near.forms) == 3


def graph() -> NearDuplicates:
    """Forms a - b - c in a chain, d alone; five texts, the last one of the form a."""
    return NearDuplicates(("a", "b", "c", "d"), np.array([3, 2, 1, 0, 0]), np.array([[0, 1], [1, 2]]))


def test_the_higher_rank_stays() -> None:
    rank = np.array([0, 2, 0, 0, 1])
    assert graph().is_outranked(rank).tolist() == [False, False, True, True, False]


def test_nothing_has_no_duplicates() -> None:
    near = find_near_duplicates([], 5, 0.8)
    assert near.is_outranked(np.array([], dtype=np.int64)).tolist() == []


def test_texts_of_one_template_are_refused_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "_MAX_PAIRS", 100)
    texts = [f"Shares of company number {number} rose today, analysts of the bank said" for number in range(20)]
    with pytest.raises(DataError, match="more than 100 pairs among 20 texts are near-duplicates"):
        find_near_duplicates(texts, 5, 0.7)
