"""Macro-F1 by hand, and as scikit-learn has it."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from MLOps.evaluation.macro_f1 import confusion_counts, macro_f1


def test_worked_by_hand() -> None:
    labels, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 1, 2, 0])
    confusion = confusion_counts(labels, predicted, 3)
    np.testing.assert_array_equal(confusion, [[1, 1, 0], [0, 2, 0], [1, 0, 1]])
    # F1 of 0: 2/(2+1+1) = 1/2; of 1: 4/(4+1) = 4/5; of 2: 2/(2+1) = 2/3
    assert macro_f1(confusion) == pytest.approx((1 / 2 + 4 / 5 + 2 / 3) / 3)


@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn_with_absent_classes_too(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels, predicted = generator.integers(0, 2 + seed % 2, 20), generator.integers(0, 3, 20)
    np.testing.assert_array_equal(
        confusion_counts(labels, predicted, 4), confusion_matrix(labels, predicted, labels=range(4))
    )
    expected = f1_score(labels, predicted, labels=range(4), average="macro", zero_division=0)
    assert macro_f1(confusion_counts(labels, predicted, 4)) == pytest.approx(expected)


def test_many_at_once_are_each_as_alone() -> None:
    counts = np.random.default_rng(1).integers(0, 9, (4, 2, 3, 3))
    assert macro_f1(counts).shape == (4, 2)
    assert macro_f1(counts)[2, 1] == macro_f1(counts[2, 1])


def test_nothing_counted_is_zero() -> None:
    assert macro_f1(np.zeros((3, 3))) == 0.0
