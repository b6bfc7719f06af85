"""The categorical projection against numbers worked by hand, and Huber's loss."""

import numpy as np
import pytest

from MLOps.agents.rainbow_loss import BatchSlope, categorical_slope, project, value_slope

SUPPORT = np.array([-2, -1, 0, 1, 2], np.float32)


def projected(probabilities: list[float], reward: float, discount: float) -> list[float]:
    target = np.full(5, 9.0)  # must be overwritten
    project(np.array(probabilities, np.float32), SUPPORT, reward, discount, target)
    return target.tolist()


@pytest.mark.parametrize(
    ("probabilities", "reward", "discount", "expected"),
    [
        # half a step up: each probability is shared evenly with the atom above, the last one is clipped
        ([0.2, 0.2, 0.2, 0.2, 0.2], 0.5, 1.0, [0.1, 0.2, 0.2, 0.2, 0.3]),
        # terminal: all of the chance at the reward, .3 of the way from 1 to 2
        ([0.2, 0.2, 0.2, 0.2, 0.2], 1.3, 0.0, [0, 0, 0, 0.7, 0.3]),
        # returns -2 and 2 halved are -1 and 1, moved by 1 they are 0 and 2: on atoms
        ([0.5, 0, 0, 0, 0.5], 1.0, 0.5, [0, 0, 0.5, 0, 0.5]),
        # far out on either side: clipped to the ends
        ([0, 0, 1, 0, 0], 40.0, 1.0, [0, 0, 0, 0, 1]),
        ([0, 0, 1, 0, 0], -40.0, 1.0, [1, 0, 0, 0, 0]),
        # unmoved
        ([0.1, 0.2, 0.3, 0.4, 0], 0.0, 1.0, [0.1, 0.2, 0.3, 0.4, 0]),
    ],
)
def test_projection_by_hand(probabilities: list[float], reward: float, discount: float, expected: list[float]) -> None:
    assert projected(probabilities, reward, discount) == pytest.approx(expected, abs=1e-6)


def test_projection_keeps_the_mean_where_nothing_is_clipped() -> None:
    target = projected([0.1, 0.5, 0.4, 0, 0], 0.27, 0.9)
    assert sum(target) == pytest.approx(1.0, abs=1e-6)
    assert np.dot(target, SUPPORT) == pytest.approx(0.27 + 0.9 * np.dot([0.1, 0.5, 0.4, 0, 0], SUPPORT), abs=1e-6)


def slope_for(rows: int, width: int) -> BatchSlope:
    return BatchSlope(np.full((rows, width), 7, np.float32), np.zeros(rows), np.zeros(rows))


def test_divergence_is_0_where_the_future_was_foretold() -> None:
    """Terminal, reward 1 on an atom; foretold with certainty."""
    told = np.log(np.array([[[1e-12, 1e-12, 1e-12, 1 - 4e-12, 1e-12], [0.2] * 5]], np.float32))
    slope, other = slope_for(1, 10), np.full((1, 2, 5), 0.2, np.float32)
    labels = (np.array([0]), np.array([1], np.float32), np.array([0], np.float32), np.array([0.5], np.float32))
    loss = categorical_slope(told, np.exp(told), other, other, SUPPORT, *labels, slope)
    assert loss == pytest.approx(0, abs=1e-6)
    assert slope.errors[0] == pytest.approx(0, abs=1e-6)
    assert slope.values[0] == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(slope.logits, 0, atol=1e-6)


def test_first_of_the_pair_chooses_and_the_second_judges() -> None:
    """Chosen: action 1 (mean 2 against -2); judged by the other's distribution of action 1, all on 0."""
    choosing = np.zeros((1, 2, 5), np.float32)
    choosing[0, 0, 0] = choosing[0, 1, 4] = 1
    judging = np.zeros((1, 2, 5), np.float32)
    judging[0, 0, 4] = judging[0, 1, 2] = 1
    told, slope = np.log(np.full((1, 2, 5), 0.2, np.float32)), slope_for(1, 10)
    labels = (np.array([1]), np.array([0], np.float32), np.array([1], np.float32), np.array([2], np.float32))
    loss = categorical_slope(told, np.exp(told), choosing, judging, SUPPORT, *labels, slope)
    assert loss == pytest.approx(2 * np.log(5), rel=1e-6)
    assert slope.errors[0] == pytest.approx(np.log(5), rel=1e-6)  # not weighted
    np.testing.assert_allclose(slope.logits[0], [0] * 5 + [0.4, 0.4, -1.6, 0.4, 0.4], rtol=1e-5)


def test_huber_by_hand() -> None:
    """Targets 1 + .5 * 4 = 3 and 2; foretold 2.5 (half below, in the bow) and 5 (3 above, on the straight)."""
    values = np.array([[2.5, 0], [0, 5]], np.float32)
    choosing, judging = np.array([[0, 1], [1, 0]], np.float32), np.array([[9, 4], [9, 9]], np.float32)
    slope = slope_for(2, 2)
    labels = (np.array([0, 1]), np.array([1, 2], np.float32), np.array([0.5, 0], np.float32), np.ones(2, np.float32))
    loss = value_slope(values, choosing, judging, *labels, slope)
    assert loss == pytest.approx((0.125 + 2.5) / 2)
    np.testing.assert_allclose(slope.logits, [[-0.25, 0], [0, 0.5]])
    np.testing.assert_allclose(slope.errors, [0.5, 3])
