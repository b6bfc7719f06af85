"""Random trading at the pace of another strategy."""

import numpy as np
import pytest

from MLOps.evaluation.backtest import run_policy
from MLOps.evaluation.performance import measure
from MLOps.evaluation.random_turnover import with_turnover_of
from MLOps.evaluation.random_turnover_kernel import turnover_orders

WINDOW = slice(10, 120)


class Restless:
    """Buys up to thirty of each ticker at first, then swaps ten of one for ten of another."""

    def orders(self, _panel, t, _cash, shares):
        if not shares.any():
            return np.full(4, 300.0)
        swap = np.zeros(4)
        swap[t % 4], swap[(t + 1) % 4] = -40, 40
        return swap


@pytest.mark.parametrize(("is_fractional", "expected"), [(False, [20, -5, -1]), (True, [20, -5, -1.2])])
def test_sells_in_the_drawn_order_and_buys_what_it_does_not_sell(is_fractional, expected):
    # a wealth of 1,000: 160 are sold, the 100 held of the second ticker first; 200 buy the first at 10
    known = np.array([1, 2, 0]), np.array([0.5, 0.3, 0.2]), 700.0, np.array([10.0, 5.0, 2.0]), np.array([10.0, 20, 50])
    np.testing.assert_allclose(turnover_orders(0.2, 0.16, *known, is_fractional), expected)


def test_buys_nothing_where_everything_is_sold():
    known = np.array([1, 0]), np.array([0.4, 0.6]), 0.0, np.array([10.0, 5.0]), np.array([10.0, 20.0])
    np.testing.assert_array_equal(turnover_orders(0.5, 1.0, *known, False), [-10, -5])


@pytest.mark.parametrize("lag", [0, 1])
def test_trades_as_much_as_the_strategy_it_follows(make_panel, make_account, lag):
    panel, account = make_panel(), make_account(buy_cost_bps=10, sell_cost_bps=10, execution_lag_sessions=lag)
    followed = run_policy(Restless(), panel, WINDOW, account)
    luck = run_policy(with_turnover_of(followed, WINDOW, account, seed=1), panel, WINDOW, account)
    assert measure(luck, 252).turnover == pytest.approx(measure(followed, 252).turnover, rel=0.05)
    np.testing.assert_array_equal(luck.bought > 0, followed.bought > 0)


def test_the_seed_decides_the_path(make_panel, make_account):
    panel, account = make_panel(), make_account()
    followed = run_policy(Restless(), panel, WINDOW, account)
    paths = [
        run_policy(with_turnover_of(followed, WINDOW, account, seed), panel, WINDOW, account) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(paths[0].wealth, paths[1].wealth)
    assert not np.array_equal(paths[0].wealth, paths[2].wealth)


def test_what_never_trades_is_followed_by_what_never_trades(make_panel, make_account):
    class Idle:
        def orders(self, *_known):
            return np.zeros(4)

    panel, account = make_panel(), make_account()
    followed = run_policy(Idle(), panel, WINDOW, account)
    luck = run_policy(with_turnover_of(followed, WINDOW, account, seed=1), panel, WINDOW, account)
    np.testing.assert_array_equal(luck.wealth, followed.wealth)
