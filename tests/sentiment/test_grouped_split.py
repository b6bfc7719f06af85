"""Splits by group: whole groups, classes in proportion, the same whatever the order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.sentiment.grouped_split import split_by_group

FRACTIONS = {"train": 0.75, "validation": 0.1, "test": 0.15}
ROWS = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(0, 2)), min_size=1, max_size=60)


def drawn(groups: int, seed: int = 0) -> tuple[list[str], list[int]]:
    """Articles of 1 to 30 sentences, each with a mood of its own."""
    generator = np.random.default_rng(seed)
    names, labels = [], []
    for group in range(groups):
        sentences = int(generator.integers(1, 31))
        names += [f"article {group}"] * sentences
        labels += generator.choice(3, sentences, p=generator.dirichlet((2, 3, 1))).tolist()
    return names, labels


@pytest.mark.parametrize("seed", range(5))
def test_sizes_and_classes_are_in_proportion(seed: int) -> None:
    names, labels = drawn(300, seed)
    placed = split_by_group(names, labels, FRACTIONS, seed)
    splits = np.array([placed[name] for name in names])
    for label in range(3):
        of_class = splits[np.array(labels) == label]
        for split, fraction in FRACTIONS.items():
            assert np.mean(of_class == split) == pytest.approx(fraction, abs=0.01)


def test_long_and_short_articles_are_in_every_split() -> None:
    names, labels = drawn(300)
    placed = split_by_group(names, labels, FRACTIONS, seed=0)
    sizes = {split: [names.count(name) for name in placed if placed[name] == split] for split in FRACTIONS}
    means = [np.mean(found) for found in sizes.values()]
    assert max(means) < 1.35 * min(means)


@settings(deadline=None, max_examples=25)
@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 9))
def test_order_does_not_matter_and_every_group_is_placed(rows, random, seed) -> None:  # type: ignore[no-untyped-def]
    placed = split_by_group(*zip(*rows, strict=True), FRACTIONS, seed)
    shuffled = random.sample(rows, len(rows))
    assert split_by_group(*zip(*shuffled, strict=True), FRACTIONS, seed) == placed
    assert placed.keys() == {group for group, _ in rows}
    assert set(placed.values()) <= FRACTIONS.keys()


def test_another_seed_divides_otherwise() -> None:
    names, labels = drawn(60)
    assert split_by_group(names, labels, FRACTIONS, 1) != split_by_group(names, labels, FRACTIONS, 2)
