"""Random trading at a given pace: what the model would have earned by luck alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MLOps.evaluation.backtest import Trajectory
from MLOps.evaluation.random_turnover_kernel import turnover_orders
from MLOps.market.accounting import FloatArray
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings


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
    is_fractional : bool
        Whether parts of a share are ordered.
    """

    start: int
    bought: FloatArray
    sold: FloatArray
    sequence: NDArray[np.int64]
    spread: FloatArray
    is_fractional: bool

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        """Sells whole positions in random order until the amount is reached; spreads the buys over the others."""
        k, prices = t - self.start, np.ascontiguousarray(panel.close[t])
        if self.bought[k] == self.sold[k] == 0:
            return np.zeros_like(shares)
        return turnover_orders(
            self.bought[k], self.sold[k], self.sequence[k], self.spread[k], cash, shares, prices, self.is_fractional
        )


def with_turnover_of(path: Trajectory, window: slice, account: AccountSettings, seed: int) -> RandomTurnover:
    """The random strategy whose fills match in value those of `path`, close by close.

    It decides the account's lag before a fill, so it decides at row t what `path` had filled at ``t + lag``.
    """
    lag_sessions = account.execution_lag_sessions
    generator, ahead = np.random.default_rng(seed), np.zeros(lag_sessions)
    tickers = np.tile(np.arange(path.shares.shape[1]), (len(path.wealth), 1))
    return RandomTurnover(
        start=window.start,
        bought=np.append((path.bought / path.wealth)[lag_sessions:], ahead),
        sold=np.append((path.sold / path.wealth)[lag_sessions:], ahead),
        sequence=generator.permuted(tickers, axis=1),
        spread=generator.dirichlet(np.ones(tickers.shape[1]), len(tickers)),
        is_fractional=account.allow_fractional_shares,
    )
