"""A policy that moves to given weights at given sessions and holds in between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from MLOps.errors import DataError
from MLOps.market.accounting import FloatArray
from MLOps.market.panel import MarketPanel

MINIMUM_FIT_SESSIONS = 20


@dataclass(frozen=True)
class TargetWeights:
    """Trades to ``weights_at[t]`` at row t of the panel; no orders at the other rows.

    Attributes
    ----------
    weights_at : mapping of int to (N,) float64
        Fractions of the wealth, >= 0 and summing to at most 1; the rest stays cash.
    """

    weights_at: Mapping[int, FloatArray]

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        """Whole shares that lead from what is held to the weights of row t, at its close."""
        if t not in self.weights_at:
            return np.zeros_like(shares)
        prices = panel.close[t]
        wealth = cash + shares @ prices
        return np.asarray(np.floor(self.weights_at[t] * wealth / prices) - shares)


def fit_on_the_past(
    fit: Callable[[FloatArray], FloatArray],
    panel: MarketPanel,
    window: slice,
    lookback_sessions: int,
    refit_sessions: int,
) -> TargetWeights:
    """Weights fitted at the first session of a window, and again every `refit_sessions`.

    Each fit sees the closes of the last `lookback_sessions` rows up to and including its own, or as
    many as there are, and nothing after. With ``refit_sessions=0`` the first fit is held to the end.

    Parameters
    ----------
    fit : callable
        From closes (L, N) to weights (N,).

    Raises
    ------
    DataError
        If fewer than `MINIMUM_FIT_SESSIONS` rows end at the window's start.
    """
    if window.start + 1 < MINIMUM_FIT_SESSIONS:
        raise DataError(
            f"{window.start + 1} sessions up to the window's start on {panel.dates[window.start]}",
            f"at least {MINIMUM_FIT_SESSIONS} to fit the baselines on",
            "a later window, or data that begins earlier",
        )
    rows = range(window.start, window.stop, refit_sessions or window.stop - window.start)
    return TargetWeights({t: fit(panel.close[max(0, t + 1 - lookback_sessions) : t + 1]) for t in rows})
