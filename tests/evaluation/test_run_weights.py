"""Target weights over history in one call: by hand, and as a policy that orders the same would do it."""

from dataclasses import fields, replace

import numpy as np
import pytest

from MLOps.errors import DataError, ModelError
from MLOps.evaluation.backtest import run_policy, run_weights
from MLOps.market.orders import weight_orders

HOLD = np.full(2, np.nan)


class TargetWeights:
    """Orders what leads to the weights of its row; nothing where they are NaN."""

    def __init__(self, weights, start, is_fractional):
        self.weights, self.start, self.is_fractional = weights, start, is_fractional

    def orders(self, panel, t, cash, shares):
        orders, weights = np.zeros(len(shares)), self.weights[t - self.start]
        if not np.isnan(weights).any():
            weight_orders(weights, cash, shares, panel.close[t], self.is_fractional, orders)
        return orders


def test_reaches_the_weights_and_then_holds(panel_of, make_account):
    panel = panel_of(np.array([[10.0, 20.0], [20.0, 20.0], [20.0, 20.0]]))
    weights = np.array([[0.5, 0.3], HOLD, HOLD])
    path = run_weights(weights, panel, slice(0, 3), make_account(starting_cash=1000))
    np.testing.assert_array_equal(path.shares, [[50, 15]] * 3)
    np.testing.assert_allclose(path.weights[0], [0.5, 0.3])
    np.testing.assert_allclose(path.wealth, [1000, 1500, 1500])


def test_rebalances_by_selling_what_grew(panel_of, make_account):
    panel = panel_of(np.array([[10.0, 10.0], [30.0, 10.0], [30.0, 10.0]]))
    path = run_weights(np.full((3, 2), 0.5), panel, slice(0, 3), make_account(starting_cash=600))
    # 30 + 30 shares are worth 1,200; half of it is 20 shares at 30 and 60 at 10
    np.testing.assert_array_equal(path.shares[1], [20, 60])


def test_parts_of_a_share_are_held_where_they_are_allowed(panel_of, make_account):
    panel = panel_of(np.array([[30.0, 70.0], [30.0, 70.0]]))
    weights, terms = np.array([[0.5, 0.4], HOLD]), {"starting_cash": 100, "slippage_bps": 1000}
    whole = run_weights(weights, panel, slice(0, 2), make_account(**terms))
    parts = run_weights(weights, panel, slice(0, 2), make_account(**terms, allow_fractional_shares=True))
    np.testing.assert_array_equal(whole.shares[0], [1, 0])
    np.testing.assert_allclose(parts.shares[0], [50 / 30, 40 / 70])
    np.testing.assert_allclose(parts.costs[0], 9)  # a tenth of the 90 bought
    np.testing.assert_allclose(parts.wealth, [100, 91])


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
@pytest.mark.parametrize("is_fractional", [False, True])
@pytest.mark.parametrize("impact_bps", [0, 300])
def test_is_the_policy_bit_by_bit(make_panel, make_account, lag, is_fractional, impact_bps):
    generator, panel, window = np.random.default_rng(7), make_panel(sessions=90, tickers=7), slice(10, 90)
    panel = replace(panel, volume=generator.uniform(0, 5_000, panel.close.shape))
    weights = generator.dirichlet(np.ones(7), 80) * generator.choice([0.0, 0.6, 1.0], (80, 1), p=[0.1, 0.3, 0.6])
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    weights[generator.random(80) < 0.3] = np.nan
    account = make_account(
        buy_cost_bps=10,
        sell_cost_bps=25,
        execution_lag_sessions=lag,
        allow_fractional_shares=is_fractional,
        slippage_bps=5,
        linear_impact_bps=impact_bps,
        root_impact_bps=impact_bps,
    )
    ours = run_weights(weights, panel, window, account)
    theirs = run_policy(TargetWeights(weights, 10, is_fractional), panel, window, account)
    assert ours.bought[lag:].any()
    assert ours.sold.any()
    for field in fields(ours):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name), err_msg=field.name)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, np.nan], r"weights \[0.5, nan\] in row 1"),
        ([-0.1, 0.5], "in row 1"),
        ([0.6, 0.5], "summing to <= 1"),
        ([np.inf, 0.0], "in row 1"),
    ],
)
def test_refuses_what_are_no_weights(panel_of, make_account, row, message):
    with pytest.raises(ModelError, match=message):
        run_weights(np.array([HOLD, row, HOLD]), panel_of(np.ones((3, 2))), slice(0, 3), make_account())


def test_refuses_weights_of_another_window(panel_of, make_account):
    with pytest.raises(ModelError, match=r"weights of shape \(2, 2\).*\(3, 2\)"):
        run_weights(np.zeros((2, 2)), panel_of(np.ones((3, 2))), slice(0, 3), make_account())


@pytest.mark.parametrize("impact", ["linear_impact_bps", "root_impact_bps"])
def test_impact_needs_volume(panel_of, make_account, impact):
    panel, account = panel_of(np.ones((3, 2))), make_account(**{impact: 1})
    with pytest.raises(DataError, match="market impact on prices without volume"):
        run_weights(np.zeros((3, 2)), panel, slice(0, 3), account)
    with pytest.raises(DataError, match="market impact on prices without volume"):
        run_policy(TargetWeights(np.zeros((3, 2)), 0, False), panel, slice(0, 3), account)
