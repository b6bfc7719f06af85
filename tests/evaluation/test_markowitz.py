"""Fitted weights against the closed forms."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from MLOps.evaluation.markowitz import mean_variance_weights, minimum_variance_weights


@pytest.fixture(scope="module")
def close():
    drift, scale = np.array([2e-3, 2e-3, 3e-3]), np.array([0.01, 0.015, 0.02])
    steps = np.random.default_rng(0).normal(drift, scale, (600, 3))
    return 100 * np.exp(np.cumsum(steps, axis=0))


def moments(close):
    returns = close[1:] / close[:-1] - 1
    return returns.mean(axis=0), ledoit_wolf(returns)[0]


def test_minimum_variance_is_the_closed_form_where_no_bound_binds(close):
    solved = np.linalg.solve(moments(close)[1], np.ones(3))
    np.testing.assert_allclose(minimum_variance_weights(close), solved / solved.sum(), atol=1e-4)


def test_mean_variance_is_the_tangency_portfolio_where_no_bound_binds(close):
    means, covariance = moments(close)
    solved = np.linalg.solve(covariance, means)
    assert (solved > 0).all()
    np.testing.assert_allclose(mean_variance_weights(close), solved / solved.sum(), atol=1e-4)


def test_mean_variance_leaves_out_what_falls(close):
    falling = np.column_stack([close, 100 * np.exp(-0.01 * np.arange(600) + 0.001 * np.sin(np.arange(600)))])
    weights = mean_variance_weights(falling)
    assert weights[3] == 0
    assert weights.sum() == pytest.approx(1)


def test_mean_variance_holds_cash_where_everything_falls():
    np.testing.assert_array_equal(mean_variance_weights(100 * np.exp(-0.01 * np.arange(50))[:, None]), [0])


@pytest.mark.parametrize("fit", [minimum_variance_weights, mean_variance_weights])
def test_one_ticker_takes_all(close, fit):
    np.testing.assert_allclose(fit(close[:, :1]), [1])
