"""The error of a mean over dependent periods and over seeds."""

import math

import numpy as np
import pytest

from MLOps.evaluation.long_run_error import cosines, mean_error


@pytest.mark.parametrize(("periods", "count"), [(2, 1), (10, 2), (33, 4), (179, 13)])
def test_number_of_cosines_follows_the_recommendation(periods: int, count: int) -> None:
    """0.41 P^(2/3): 0.65, 1.90, 4.22, 13.02."""
    assert cosines(periods) == count


def test_one_cosine_by_hand() -> None:
    """Of 3 and 1 the cosine weighs cos(pi/4) and cos(3 pi/4): (3 - 1) / sqrt(2), squared 2; over 2 periods 1"""
    assert mean_error(np.array([[3.0, 1.0]])) == pytest.approx((1.0, 1.0))


def test_error_of_independent_periods_is_that_of_a_mean() -> None:
    samples = np.random.default_rng(1).normal(50, 10, (300, 1, 100))
    assert np.mean([mean_error(values).error ** 2 for values in samples]) == pytest.approx(1, rel=0.15)


def test_error_counts_what_neighbours_share() -> None:
    """Moving sums of two: the long-run variance is four times that of a shock, not twice."""
    shocks = np.random.default_rng(2).normal(0, 1, (300, 1, 201))
    sums = shocks[..., 1:] + shocks[..., :-1]
    assert np.mean([mean_error(values).error ** 2 for values in sums]) == pytest.approx(4 / 200, rel=0.15)


def test_seeds_that_differ_bring_their_own_error_and_few_degrees_of_freedom() -> None:
    """Means 1, 2, 3 over periods that never vary: variance 1 over 3 seeds, two degrees of freedom."""
    values = np.repeat(np.array([[1.0], [2.0], [3.0]]), 40, axis=1)
    assert mean_error(values) == pytest.approx((math.sqrt(1 / 3), 2.0))


def test_seeds_that_are_alike_change_nothing() -> None:
    noise = np.random.default_rng(3).normal(0, 1, (1, 60))
    assert mean_error(np.repeat(noise, 3, axis=0)) == pytest.approx(mean_error(noise))


def test_what_never_varies_has_no_error() -> None:
    assert mean_error(np.full((1, 20), 7.0)).error == mean_error(np.full((3, 20), 7.0)).error == 0
