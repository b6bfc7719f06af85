"""Random trading at a given pace: what the model would have earned by luck alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MLOps.evaluation.backtest import Trajectory
from MLOps.market.accounting import FloatArray
from MLOps.market.panel import MarketPanel

_SMALLEST = 1e-12  # keeps 0 / 0 at 0 where everything is sold


@dataclass(frozen=True)
class RandomTurnover:
    """Buys and sells tickers at random, as much of the wealth at each close as another strategy did.

    Attributes
    ----------
    start : int
        Row of the panel at which the window begins.
    bought, sold : (K,) float64
        Fractions of the wealth to buy and to sell at each row of the window.
    sequence : (K, N) int64
        Drawn order in which tickers are sold.
    spread : (K, N) float64
        Drawn parts of what is bought, summing to 1 in each row.
    """

    start: int
    bought: FloatArray
    sold: FloatArray
    sequence: NDArray[np.int64]
    spread: FloatArray

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        """Sells whole positions in random order until the amount is reached; spreads the buys over the others."""
        k, prices = t - self.start, panel.close[t]
        if self.bought[k] == self.sold[k] == 0:
            return np.zeros_like(shares)
        held = shares * prices
        wealth = cash + held.sum()
        order = self.sequence[k]
        sold = np.zeros_like(held)
        before = np.cumsum(held[order]) - held[order]
        sold[order] = np.clip(self.sold[k] * wealth - before, 0, held[order])
        spread = self.spread[k] * (sold == 0)
        bought = self.bought[k] * wealth * spread / max(spread.sum(), _SMALLEST)
        return np.asarray(np.rint((bought - sold) / prices))


def with_turnover_of(path: Trajectory, window: slice, lag_sessions: int, seed: int) -> RandomTurnover:
    """The random strategy whose fills match in value those of `path`, close by close.

    It decides `lag_sessions` before a fill, so it decides at row t what `path` had filled at
    ``t + lag_sessions``.
    """
    generator, ahead = np.random.default_rng(seed), np.zeros(lag_sessions)
    tickers = np.tile(np.arange(path.shares.shape[1]), (len(path.wealth), 1))
    return RandomTurnover(
        start=window.start,
        bought=np.append((path.bought / path.wealth)[lag_sessions:], ahead),
        sold=np.append((path.sold / path.wealth)[lag_sessions:], ahead),
        sequence=generator.permuted(tickers, axis=1),
        spread=generator.dirichlet(np.ones(tickers.shape[1]), len(tickers)),
    )
