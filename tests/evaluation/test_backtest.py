"""The backtest's loop: golden paths by hand, and that no policy can see ahead."""

from dataclasses import replace

import numpy as np
import pytest

from MLOps.errors import ModelError
from MLOps.evaluation.backtest import run_policy
from MLOps.inference.policy import EqualWeightPolicy
from MLOps.market.accounting import TradingTerms

PRICES = np.array([[10.0, 20.0], [11.0, 20.0], [12.0, 25.0], [6.0, 30.0]])


class Script:
    """Gives the orders of a list, one for each row, and notes the account it was shown."""

    def __init__(self, *orders):
        self.given = [np.array(order, dtype=float) for order in orders]
        self.shown = []

    def orders(self, _panel, t, cash, shares):
        self.shown.append((t, cash, shares.tolist()))
        return self.given[t]


class FollowsLastReturn:
    """Buys what rose on the last day and sells what fell."""

    def orders(self, panel, t, _cash, _shares):
        return 20 * np.sign(panel.close[t] - panel.close[max(t - 1, 0)])


def script():
    return Script([50, 0], [0, 10], [-50, 0], [7, 7])


def test_without_lag_orders_are_filled_at_the_close_they_were_decided_on(panel_of, make_account):
    account = make_account(starting_cash=1000, buy_cost_bps=100, sell_cost_bps=100)
    path = run_policy(script(), panel_of(PRICES), slice(0, 4), account)
    np.testing.assert_allclose(path.wealth, [1000, 495 + 550, 293 + 600 + 250, 887 + 300])
    np.testing.assert_allclose(path.costs, [5, 2, 6, 0])
    np.testing.assert_allclose(path.bought, [500, 200, 0, 0])
    np.testing.assert_allclose(path.sold, [0, 0, 600, 0])
    np.testing.assert_array_equal(path.shares, [[50, 0], [50, 10], [0, 10], [0, 10]])
    np.testing.assert_allclose(path.weights[2], [0, 250 / 1137])
    np.testing.assert_allclose(path.returns, [0.045, 1143 / 1045 - 1, 1187 / 1143 - 1])


def test_with_a_lag_of_one_orders_are_filled_at_the_next_close(panel_of, make_account):
    account = make_account(starting_cash=1000, buy_cost_bps=100, sell_cost_bps=100, execution_lag_sessions=1)
    policy = script()
    path = run_policy(policy, panel_of(PRICES), slice(0, 4), account)
    np.testing.assert_allclose(path.wealth, [1000, 1000, 444.5 + 600, 192 + 300 + 300])
    np.testing.assert_allclose(path.costs, [0, 5.5, 2.5, 0])
    assert policy.shown == [(0, 1000.0, [0, 0]), (1, pytest.approx(444.5), [50, 0]), (2, pytest.approx(192), [50, 10])]


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_equal_weight_is_equal_whatever_prices_do_until_the_fill(panel_of, make_account, lag):
    """Prices rise by up to 6% right after the first decision; the dearest share is the one that cash runs out for."""
    before = np.array([20.0, 45.0, 90.0, 180.0, 350.0, 900.0])
    after = before * np.array([1.06, 1.03, 0.99, 1.04, 1.0, 1.05])
    panel = panel_of(np.vstack([before] + [after] * 14))
    account = make_account(starting_cash=1e6, buy_cost_bps=10, execution_lag_sessions=lag)
    path = run_policy(EqualWeightPolicy(), panel, slice(0, 15), account)
    held = path.shares[-1] * after
    assert np.ptp(held) <= after.max()  # whole shares allow no more
    assert path.wealth[-1] - held.sum() <= after.sum()
    assert (np.diff(path.shares, axis=0) >= 0).all()
    assert not path.bought[11:].any()


def test_with_a_longer_lag_a_policy_knows_what_it_has_ordered(panel_of, make_account):
    policy = Script([10, 0], [0, 10], [0, 0], [0, 0])
    run_policy(policy, panel_of(PRICES), slice(0, 4), make_account(starting_cash=1000, execution_lag_sessions=2))
    assert policy.shown == [
        (0, 1000.0, [0, 0]),
        (1, 1000.0 - 110, [10, 0]),  # as if filled at this close
        (2, 1000.0 - 120 - 250, [10, 10]),  # the first is filled, at 12; the second is on its way
    ]


def test_a_window_begins_with_cash_whatever_came_before(panel_of, make_account):
    path = run_policy(FollowsLastReturn(), panel_of(PRICES), slice(2, 4), make_account())
    assert path.wealth[0] == 1e5
    np.testing.assert_array_equal(path.shares[0], [20, 20])


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_the_future_changes_nothing_before_it(make_panel, make_account, lag):
    panel, cut = make_panel(sessions=40), 25
    close = panel.close.copy()
    close[cut:] *= np.random.default_rng(2).uniform(0.5, 2, close[cut:].shape)
    account = make_account(buy_cost_bps=7, execution_lag_sessions=lag)
    whole = run_policy(FollowsLastReturn(), panel, slice(5, 40), account)
    other = run_policy(FollowsLastReturn(), replace(panel, close=close), slice(5, 40), account)
    known = cut - 5
    np.testing.assert_array_equal(whole.wealth[:known], other.wealth[:known])
    np.testing.assert_array_equal(whole.shares[:known], other.shares[:known])
    assert not np.array_equal(whole.wealth, other.wealth)


@pytest.mark.parametrize("lag", [0, 1])
def test_wealth_grows_by_price_moves_less_costs(make_panel, make_account, lag):
    panel = make_panel()
    account = make_account(buy_cost_bps=10, sell_cost_bps=25, execution_lag_sessions=lag)
    path = run_policy(FollowsLastReturn(), panel, slice(0, 120), account)
    gains = (path.shares[:-1] * np.diff(panel.close, axis=0)).sum(axis=1)
    np.testing.assert_allclose(np.diff(path.wealth), gains - path.costs[:-1], rtol=0, atol=1e-8)
    assert (path.weights.sum(axis=1) <= 1 + 1e-12).all()


def test_refuses_orders_of_another_shape(panel_of, make_account):
    with pytest.raises(ModelError, match="shape"):
        run_policy(Script([1, 2, 3]), panel_of(PRICES), slice(0, 2), make_account())


def test_slippage_and_impact_make_fills_worse(panel_of, make_account):
    panel = replace(panel_of(PRICES), volume=np.full(PRICES.shape, 100.0))
    account = make_account(starting_cash=2000, slippage_bps=100, linear_impact_bps=400, root_impact_bps=200)
    path = run_policy(Script([25, 0], [-100, 0], [500, 0], [0, 0]), panel, slice(0, 4), account)
    # a quarter of the volume: 1% + 4% / 4 + 2% * sqrt(1 / 4) = 3% worse, on 250 bought and 275 sold
    np.testing.assert_allclose(path.costs[:2], [7.5, 8.25])
    np.testing.assert_allclose(path.wealth[1:3], [2000 - 257.5 + 275, 2000 - 257.5 + 275 - 8.25])
    np.testing.assert_array_equal(path.shares[:3, 0], [25, 0, 100])  # no more than the volume


def test_terms_of_each_ticker_take_the_place_of_the_accounts(panel_of, make_account):
    terms = TradingTerms(np.array([0.01, 0.0]), np.array([0.0, 0.02]))
    account = make_account(starting_cash=1000, buy_cost_bps=500, slippage_bps=500)
    path = run_policy(Script([10, 10], [-10, -10], [0, 0]), panel_of(PRICES), slice(0, 3), account, terms)
    np.testing.assert_allclose(path.costs, [1, 4, 0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_orders_that_are_not_finite(panel_of, make_account, value):
    with pytest.raises(ModelError, match=r"orders \[1\.0, (nan|inf)\]"):
        run_policy(Script([1, value]), panel_of(PRICES), slice(0, 2), make_account(execution_lag_sessions=1))
