"""Whether wealth is kept: what an account loses in a step or an episode is its costs and the market's moves."""

from typing import Any

import numpy as np
import numpy.typing as npt
from endurance import NotSoundError

from MLOps.environments.stock_trading import StockTradingBatch
from MLOps.environments.trading_batch import Step
from MLOps.market.panel import MarketPanel

_TOLERANCE = 1e-9


class Audit:
    """Checks the steps of a batch whose observations are raw; counts what it has checked.

    Parameters
    ----------
    batch : StockTradingBatch
        All of the panel's tickers in each account.
    panel : MarketPanel
    initial_cash, reward_scaling : float
        As in the batch's settings.
    """

    def __init__(
        self, batch: StockTradingBatch, panel: MarketPanel, initial_cash: float, reward_scaling: float
    ) -> None:
        self._batch, self._panel = batch, panel
        self._initial_cash, self._reward_scaling = initial_cash, reward_scaling
        self.steps = self.episodes = 0

    def step(self, actions: npt.NDArray[np.float32], observations: npt.NDArray[Any]) -> Step:
        """Step, and check of each account that cash, holdings and costs sum to what they were.

        Raises
        ------
        NotSoundError
            If they do not, to 1e-9 of the wealth.
        """
        held = self._batch.accounts
        close = self._panel.close[held.day]
        before = held.cash + (held.shares * close).sum(axis=1)
        cost = held.cost.copy()
        step = self._batch.step(actions, observations)
        after = held.cash + (held.shares * close).sum(axis=1) + held.cost - cost
        _require_kept("in a step", (after - before)[~step.is_last], before[~step.is_last])
        self.steps += len(before) - len(step.ended)
        return step

    def episodes_of(self, step: Step) -> None:
        """Check that the rewards of the finished episodes sum to their profit.

        Raises
        ------
        NotSoundError
            If they do not, to 1e-9 of the wealth.
        """
        tickers, last = len(self._panel.tickers), step.last_observations
        holdings = (last[:, 1 : 1 + tickers] * last[:, 1 + tickers : 1 + 2 * tickers]).sum(axis=1)
        wealth = last[:, 0] + holdings
        profit = wealth - self._initial_cash
        _require_kept("in an episode", step.episode_rewards / self._reward_scaling - profit, wealth)
        self.episodes += len(step.ended)


def _require_kept(where: str, lost: npt.NDArray[np.float64], wealth: npt.NDArray[np.float64]) -> None:
    if not (np.abs(lost) <= _TOLERANCE * wealth).all():
        worst = int(np.abs(lost / wealth).argmax())
        raise NotSoundError(f"{lost[worst]:g} of {wealth[worst]:g} appeared or was lost {where}")
