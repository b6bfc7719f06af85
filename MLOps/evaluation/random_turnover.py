"""Random trading at a given pace: what the model would have earned by luck alone."""

from dataclasses import dataclass

import numpy as np

from MLOps.evaluation.backtest import Trajectory
from MLOps.market.accounting import FloatArray
from MLOps.market.panel import MarketPanel

_SMALLEST = 1e-12  # keeps 0 / 0 at 0 where everything is sold


@dataclass(frozen=True)
class RandomTurnover:
    """Buys and sells tickers at random, as much of the wealth at each close as another strategy did.

    Attributes
    ----------
    bought, sold : (K,) float64
        Fractions of the wealth to buy and to sell at each row of the window.
    start : int
        Row of the panel at which the window begins.
    seed : int
        The draws of row t depend on it and on t alone.
    """

    bought: FloatArray
    sold: FloatArray
    start: int
    seed: int

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        """Sells whole positions in random order until the amount is reached; spreads the buys over the others."""
        generator = np.random.default_rng([self.seed, t])
        prices = panel.close[t]
        held = shares * prices
        wealth = cash + held.sum()
        k = t - self.start
        order = generator.permutation(len(shares))
        sold = np.zeros_like(held)
        before = np.cumsum(held[order]) - held[order]
        sold[order] = np.clip(self.sold[k] * wealth - before, 0, held[order])
        share_of_buys = generator.dirichlet(np.ones(len(shares))) * (sold == 0)
        bought = self.bought[k] * wealth * share_of_buys / max(share_of_buys.sum(), _SMALLEST)
        return np.asarray(np.rint((bought - sold) / prices))


def with_turnover_of(path: Trajectory, window: slice, lag_sessions: int, seed: int) -> RandomTurnover:
    """The random strategy whose fills match in value those of `path`, close by close.

    It decides `lag_sessions` before a fill, so it decides at row t what `path` had filled at
    ``t + lag_sessions``.
    """
    bought, sold = path.bought / path.wealth, path.sold / path.wealth
    ahead = np.zeros(lag_sessions)
    return RandomTurnover(
        bought=np.concatenate([bought[lag_sessions:], ahead]),
        sold=np.concatenate([sold[lag_sessions:], ahead]),
        start=window.start,
        seed=seed,
    )
