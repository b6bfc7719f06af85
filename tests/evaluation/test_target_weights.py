"""Portfolios that move to given weights, fitted on the past alone."""

from dataclasses import replace

import numpy as np
import pytest

from MLOps.errors import DataError
from MLOps.evaluation.backtest import run_policy
from MLOps.evaluation.target_weights import TargetWeights, fit_on_the_past


def inverse_last_price(close):
    return close[-1] / close[-1].sum()


def test_reaches_the_weights_and_then_holds(panel_of, make_account):
    panel = panel_of(np.array([[10.0, 20.0], [20.0, 20.0], [20.0, 20.0]]))
    policy = TargetWeights({0: np.array([0.5, 0.3])})
    path = run_policy(policy, panel, slice(0, 3), make_account(starting_cash=1000))
    np.testing.assert_array_equal(path.shares, [[50, 15]] * 3)
    np.testing.assert_allclose(path.weights[0], [0.5, 0.3])


def test_rebalances_by_selling_what_grew(panel_of, make_account):
    panel = panel_of(np.array([[10.0, 10.0], [30.0, 10.0], [30.0, 10.0]]))
    half = np.array([0.5, 0.5])
    path = run_policy(TargetWeights({0: half, 1: half}), panel, slice(0, 3), make_account(starting_cash=600))
    # 30 + 30 shares are worth 1,200; half of it is 20 shares at 30 and 60 at 10
    np.testing.assert_array_equal(path.shares[1], [20, 60])


def test_fits_at_the_start_and_then_on_schedule(make_panel):
    policy = fit_on_the_past(inverse_last_price, make_panel(), slice(60, 120), lookback_sessions=30, refit_sessions=25)
    assert sorted(policy.weights_at) == [60, 85, 110]


def test_fits_once_where_the_schedule_is_zero(make_panel):
    policy = fit_on_the_past(inverse_last_price, make_panel(), slice(60, 120), lookback_sessions=30, refit_sessions=0)
    assert list(policy.weights_at) == [60]


def test_a_fit_sees_the_lookback_and_nothing_else(make_panel):
    panel, seen = make_panel(), []

    def note(close):
        seen.append(close)
        return np.zeros(4)

    fit_on_the_past(note, panel, slice(25, 70), lookback_sessions=30, refit_sessions=20)
    for close, rows in zip(seen, [slice(0, 26), slice(16, 46), slice(36, 66)], strict=True):
        np.testing.assert_array_equal(close, panel.close[rows])


def test_the_future_does_not_change_a_fit(make_panel):
    panel = make_panel()
    crash = replace(panel, close=np.vstack([panel.close[:86], panel.close[86:] / 3]))
    fits = [fit_on_the_past(inverse_last_price, p, slice(60, 120), 30, 25).weights_at for p in (panel, crash)]
    np.testing.assert_array_equal(fits[0][85], fits[1][85])


def test_refuses_a_window_with_too_little_before_it(make_panel):
    with pytest.raises(DataError, match="5 sessions up to"):
        fit_on_the_past(inverse_last_price, make_panel(), slice(4, 60), 30, 10)
