"""Performance figures against values worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.evaluation.backtest import Trajectory
from MLOps.evaluation.performance import annual_return, drawdowns, measure, sharpe_ratio, sortino_ratio, volatility


def path_of(wealth, bought=0.0, sold=0.0, costs=0.0):
    wealth = np.array(wealth, dtype=float)
    ones = np.ones(len(wealth))
    dates = np.datetime64("2020-01-01", "D") + np.arange(len(wealth))
    empty = np.zeros((len(wealth), 1))
    return Trajectory(dates, wealth, empty, empty, bought * ones, sold * ones, costs * ones)


def test_figures_of_a_short_path():
    # returns +10%, -10%, +20%: mean 1/15, deviations squared (1/30)^2, (1/6)^2, (2/15)^2, sum 7/150
    figures = measure(path_of([100, 110, 99, 118.8], bought=11, sold=22, costs=0.5), sessions_per_year=3)
    deviation = math.sqrt(7 / 150 / 2)
    assert figures.total_return == pytest.approx(0.188)
    assert figures.annual_return == pytest.approx(0.188)  # three returns are one year here
    assert figures.volatility == pytest.approx(deviation * math.sqrt(3))
    assert figures.sharpe == pytest.approx(math.sqrt(3) * (1 / 15) / deviation)
    assert figures.sortino == pytest.approx(math.sqrt(3) * (1 / 15) / math.sqrt(0.01 / 3))
    assert figures.max_drawdown == pytest.approx(0.1)
    assert figures.calmar == pytest.approx(1.88)
    assert figures.turnover == pytest.approx(33 * (1 / 100 + 1 / 110 + 1 / 99 + 1 / 118.8))
    assert figures.costs_paid == pytest.approx(2.0)


def test_a_year_compounds():
    assert annual_return(np.array([1.0, 1.0, 1.21]), sessions_per_year=4) == pytest.approx(1.21**2 - 1)


def test_drawdown_is_measured_from_the_highest_point_so_far():
    np.testing.assert_allclose(drawdowns(np.array([100.0, 80, 120, 60, 90])), [0, 0.2, 0, 0.5, 0.25])


def test_what_stands_still_has_no_ratios():
    figures = measure(path_of([100, 100, 100]), sessions_per_year=252)
    assert (figures.sharpe, figures.sortino, figures.calmar) == (None, None, None)
    assert (figures.total_return, figures.volatility, figures.max_drawdown) == (0, 0, 0)


def test_equal_returns_have_no_sharpe_ratio_though_rounding_gives_them_a_deviation():
    returns = np.full(7, 0.1)
    assert returns.std(ddof=1) > 0
    assert math.isnan(sharpe_ratio(returns, 252))


def test_one_session_has_no_yearly_figures():
    figures = measure(path_of([100]), sessions_per_year=252)
    assert (figures.annual_return, figures.volatility, figures.sharpe, figures.turnover) == (None, None, None, None)


def test_undefined_figures_are_null_in_json():
    assert '"sharpe":null' in measure(path_of([100, 100]), sessions_per_year=252).model_dump_json()


returns = st.lists(st.integers(-2000, 2000), min_size=3, max_size=40).map(lambda bps: np.array(bps) / 1e4)


@given(returns, st.floats(0.1, 10))
def test_ratios_do_not_depend_on_leverage(series, factor):
    for ratio in (sharpe_ratio, sortino_ratio):
        ours, levered = float(ratio(series, 252)), float(ratio(factor * series, 252))
        assert levered == pytest.approx(ours, rel=1e-6, nan_ok=True)


@given(returns)
def test_order_of_the_returns_matters_to_drawdown_only(series):
    figures, turned = (measure(path_of(np.cumprod(np.r_[1, 1 + r])), 252) for r in (series, series[::-1]))
    assert turned.total_return == pytest.approx(figures.total_return, abs=1e-9)
    assert volatility(series, 252) == pytest.approx(volatility(series[::-1], 252))
    assert 0 <= figures.max_drawdown <= 1
