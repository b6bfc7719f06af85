"""Splits by group: whole groups, each by its own name, in proportion over many."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.sentiment.grouped_split import split_by_group

FRACTIONS = {"train": 0.75, "validation": 0.1, "test": 0.15}
NAMES = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=40)


@pytest.mark.parametrize("seed", range(3))
def test_fractions_are_kept_over_many_groups(seed: int) -> None:
    placed = split_by_group([f"article {number}" for number in range(4_000)], FRACTIONS, seed)
    for split, fraction in FRACTIONS.items():
        share = list(placed.values()).count(split) / len(placed)
        assert share == pytest.approx(fraction, abs=0.025)  # four standard errors


@settings(deadline=None, max_examples=50)
@given(NAMES, NAMES, st.integers(0, 9))
def test_no_group_moves_when_others_come(old: list[str], new: list[str], seed: int) -> None:
    before, after = split_by_group(old, FRACTIONS, seed), split_by_group([*new, *old], FRACTIONS, seed)
    assert {group: after[group] for group in old} == before
    assert after.keys() == {*old, *new}
    assert set(after.values()) <= FRACTIONS.keys()


def test_another_seed_divides_otherwise() -> None:
    names = [f"article {number}" for number in range(60)]
    assert split_by_group(names, FRACTIONS, 1) != split_by_group(names, FRACTIONS, 2)


def test_the_placing_is_the_one_that_models_were_judged_by() -> None:
    names = [f"nyt_editorials/{number}" for number in (1, 2, 3, 40, 277)]
    placed = split_by_group(names, FRACTIONS, 100)
    assert [placed[name] for name in names] == ["test", "train", "train", "train", "test"]
