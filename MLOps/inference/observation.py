"""The observation of a stock-trading agent: one flat vector, the same in training and in inference."""

import numpy as np
import numpy.typing as npt

from MLOps.inference.model_folder import Normalisation
from MLOps.market.panel import MarketPanel

FloatArray = npt.NDArray[np.float64]
_SMALLEST_SCALE = 1e-8


def observation_size(tickers: int, indicators: int) -> int:
    """1 + 2 N + N F: cash, close and shares, and F indicators of N tickers."""
    return 1 + tickers * (2 + indicators)


def observe(panel: MarketPanel, t: int, cash: float, shares: FloatArray, columns: list[int]) -> FloatArray:
    """What is known at the close of session `t`, in FinRL's order.

    Parameters
    ----------
    panel : MarketPanel
        Only row `t` is read.
    t : int
        Row position.
    cash : float
        In the quote currency.
    shares : (N,) float64
        Shares held.
    columns : list of int
        Positions of the indicators among the panel's features.

    Returns
    -------
    (1 + 2 N + N F,) float64
        cash, close (N), shares (N), then indicator by indicator (N each), not normalised.
    """
    return np.concatenate(([cash], panel.close[t], shares, panel.features[t][:, columns].T.ravel()))


def fit_normalisation(
    panel: MarketPanel, initial_amount: float, limit: float, held_tickers: int | None = None
) -> Normalisation:
    """Mean and scale of every entry of the observation, from the training window alone.

    Prices and indicators take their mean and standard deviation over the window. Cash and shares
    depend on the policy, so they are measured against the starting amount: cash runs from 0 to about
    `initial_amount`, shares of a ticker from 0 to about an equal part of it. Unlike running
    statistics, these stay fixed while the agent learns.

    Parameters
    ----------
    panel : MarketPanel
        The training window, its features being the indicators of the observation.
    initial_amount : float
        Cash at the start of an episode.
    limit : float
        Bound of the normalised values.
    held_tickers : int, optional
        Tickers that one account trades, where it is not all of the panel.
    """
    held = len(panel.tickers) if held_tickers is None else held_tickers
    equal_part = initial_amount / held / panel.close.mean(axis=0)
    mean = [[initial_amount / 2], panel.close.mean(axis=0), equal_part / 2, panel.features.mean(axis=0).T.ravel()]
    scale = [[initial_amount / 2], panel.close.std(axis=0), equal_part / 2, panel.features.std(axis=0).T.ravel()]
    flat = np.concatenate(scale)
    # a column that never moves in training (no news yet) must not explode when it first does
    flat = np.where(flat > _SMALLEST_SCALE, flat, 1.0)
    return Normalisation(mean=tuple(np.concatenate(mean).tolist()), scale=tuple(flat.tolist()), limit=limit)


class Normaliser:
    """Applies a `Normalisation` to observations (..., D)."""

    def __init__(self, normalisation: Normalisation) -> None:
        self._mean = np.array(normalisation.mean)
        self._scale = np.array(normalisation.scale)
        self._limit = normalisation.limit

    def __call__(self, observation: FloatArray) -> npt.NDArray[np.float32]:
        """The normalised observation, float32 as the networks take it."""
        scaled: FloatArray = (observation - self._mean) / self._scale
        return scaled.clip(-self._limit, self._limit).astype(np.float32)
