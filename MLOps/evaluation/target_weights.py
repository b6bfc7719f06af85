"""Target weights fitted on the past, at given sessions; in between they are held."""

from collections.abc import Callable

import numpy as np

from MLOps.errors import DataError
from MLOps.market.accounting import FloatArray
from MLOps.market.panel import MarketPanel

MINIMUM_FIT_SESSIONS = 20


def fit_on_the_past(
    fit: Callable[[FloatArray], FloatArray],
    panel: MarketPanel,
    window: slice,
    lookback_sessions: int,
    refit_sessions: int,
) -> FloatArray:
    """Weights (K, N) for `run_weights`, fitted at the first session of a window, and again every `refit_sessions`.

    Each fit sees the closes of the last `lookback_sessions` rows up to and including its own, or as
    many as there are, and nothing after. The rows in between are NaN, which orders nothing. With
    ``refit_sessions=0`` the first fit is held to the end.

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
    sessions = window.stop - window.start
    weights = np.full((sessions, len(panel.tickers)), np.nan)
    for k in range(0, sessions, refit_sessions or sessions):
        known = window.start + k + 1
        weights[k] = fit(panel.close[max(0, known - lookback_sessions) : known])
    return weights
