"""Long-only portfolio weights fitted to past prices, by PyPortfolioOpt."""

from typing import TYPE_CHECKING

import numpy as np

from MLOps.market.accounting import FloatArray

if TYPE_CHECKING:
    from pypfopt import EfficientFrontier

_SOLVER = "CLARABEL"  # named, for cvxpy would otherwise take whatever is installed
_DUST = 1e-6  # an interior-point solver leaves this much in what it means to leave out


def minimum_variance_weights(close: FloatArray) -> FloatArray:
    """Weights (N,), summing to 1, of the portfolio with the least variance.

    Parameters
    ----------
    close : (L, N) float64
        Past closing prices, L >= 3.
    """
    frontier = _frontier(close)
    frontier.min_volatility()
    return _cleaned(frontier)


def mean_variance_weights(close: FloatArray) -> FloatArray:
    """Weights (N,), summing to 1, of the portfolio with the highest Sharpe ratio on `close`.

    All zero, which is cash, where no ticker has a positive mean return.

    Parameters
    ----------
    close : (L, N) float64
        Past closing prices, L >= 3.

    Source: H. Markowitz, "Portfolio Selection", Journal of Finance 7 (1952); the tangency form by
    G. Cornuejols and R. Tutuncu, "Optimization Methods in Finance" (2006), section 8.2.
    """
    frontier = _frontier(close)
    if max(frontier.expected_returns) <= 0:
        return np.zeros(close.shape[1])
    frontier.max_sharpe(risk_free_rate=0.0)
    return _cleaned(frontier)


def _frontier(close: FloatArray) -> "EfficientFrontier":
    """Arithmetic mean returns and a Ledoit-Wolf covariance, a session each: only their ratio matters."""
    import pandas as pd
    from pypfopt import EfficientFrontier, expected_returns, risk_models

    prices = pd.DataFrame(close)
    means = expected_returns.mean_historical_return(prices, compounding=False)
    covariance = risk_models.CovarianceShrinkage(prices).ledoit_wolf()
    return EfficientFrontier(means, covariance, solver=_SOLVER)


def _cleaned(frontier: "EfficientFrontier") -> FloatArray:
    weights = np.asarray(frontier.weights, dtype=np.float64)
    kept = np.where(weights > _DUST, weights, 0.0)
    return np.asarray(kept / kept.sum())
