"""The figures by which a strategy is judged, from its path of wealth."""

import math

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from MLOps.evaluation.backtest import Trajectory
from MLOps.market.accounting import FloatArray


class Performance(BaseModel):
    """What a strategy earned, risked, traded and paid; None where a figure is undefined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    total_return: float = Field(description="Gain over the window, as a fraction of the starting cash.")
    annual_return: float | None = Field(description="Compound yearly return, as a fraction.")
    volatility: float | None = Field(description="Standard deviation of the returns, annualised.")
    sharpe: float | None = Field(description="Annualised mean over standard deviation of the returns; cash earns 0.")
    sortino: float | None = Field(description="Annualised mean over downside deviation of the returns.")
    max_drawdown: float = Field(ge=0, le=1, description="Deepest fall from an earlier peak, as a fraction of it.")
    calmar: float | None = Field(description="annual_return over max_drawdown.")
    turnover: float | None = Field(description="Shares bought and sold, as a multiple of the wealth a year.")
    costs_paid: float = Field(ge=0, description="Transaction costs over the window, in the currency of the prices.")


def measure(path: Trajectory, sessions_per_year: int) -> Performance:
    """All figures of one path of K sessions, K >= 1."""
    annual = annual_return(path.wealth, sessions_per_year)
    drawdown = float(drawdowns(path.wealth).max())
    years = (len(path.wealth) - 1) / sessions_per_year
    traded = float(((path.bought + path.sold) / path.wealth).sum())
    return Performance(
        total_return=float(path.wealth[-1] / path.wealth[0] - 1),
        annual_return=_defined(annual),
        volatility=_defined(volatility(path.returns, sessions_per_year)),
        sharpe=_defined(float(sharpe_ratio(path.returns, sessions_per_year))),
        sortino=_defined(sortino_ratio(path.returns, sessions_per_year)),
        max_drawdown=drawdown,
        calmar=_defined(annual / drawdown if drawdown > 0 else math.nan),
        turnover=traded / years if years else None,
        costs_paid=float(path.costs.sum()),
    )


def annual_return(wealth: FloatArray, sessions_per_year: int) -> float:
    """Compound yearly return of a path (K,); NaN with fewer than two points."""
    if len(wealth) < 2:
        return math.nan
    return float((wealth[-1] / wealth[0]) ** (sessions_per_year / (len(wealth) - 1)) - 1)


def volatility(returns: FloatArray, sessions_per_year: int) -> float:
    """Sample standard deviation of the returns (K,), annualised; NaN with fewer than two."""
    return float(returns.std(ddof=1) * math.sqrt(sessions_per_year)) if len(returns) > 1 else math.nan


def sharpe_ratio(returns: FloatArray, sessions_per_year: int) -> FloatArray:
    """Annualised mean over sample standard deviation, along the first axis.

    The riskless rate is 0, for cash earns nothing in the backtest. NaN with fewer than two returns or
    where all are equal.

    Parameters
    ----------
    returns : (K,) or (K, M) float64
        Simple returns a session.

    Source: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994).
    """
    if len(returns) < 2:
        return np.full(returns.shape[1:], np.nan)
    deviation = returns.std(axis=0, ddof=1)
    is_constant = np.ptp(returns, axis=0) == 0  # rounding leaves equal returns a deviation of 1e-19
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = math.sqrt(sessions_per_year) * returns.mean(axis=0) / deviation
    return np.where(is_constant, np.nan, ratio)


def sortino_ratio(returns: FloatArray, sessions_per_year: int) -> float:
    """Annualised mean over the root mean square of the negative returns, all K counted; NaN if none is negative.

    Source: F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework",
    Journal of Investing 3 (1994), with a target of 0.
    """
    if not (returns < 0).any():
        return math.nan
    downside = math.sqrt(np.square(np.minimum(returns, 0)).mean())
    return float(math.sqrt(sessions_per_year) * returns.mean() / downside)


def drawdowns(wealth: FloatArray) -> FloatArray:
    """Fall from the highest wealth so far (K,), as a fraction of it, >= 0."""
    return 1 - wealth / np.maximum.accumulate(wealth)


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
