"""Runs a policy over past sessions: what it would have held, paid and earned."""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from MLOps.errors import ModelError
from MLOps.market.accounting import FloatArray, execute, flat_terms
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings

_BPS = 1e-4


class DecidesOrders(Protocol):
    """All that a backtest asks of a policy; MLOps/inference/policy.py holds the trained ones."""

    def orders(self, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
        """Signed shares (N,) to trade, from rows ``<= t`` of the panel and the account at t's close."""


@dataclass(frozen=True)
class Trajectory:
    """An account over the K sessions of a window.

    Attributes
    ----------
    dates : (K,) datetime64[D]
    wealth : (K,) float64
        Cash and holdings at each close, before that close's own orders; ``wealth[0]`` is the
        starting cash.
    shares : (K, N) float64
        Held after the orders of each close.
    weights : (K, N) float64
        Value held of each ticker, as a fraction of the wealth after the orders; the rest is cash.
    bought, sold : (K,) float64
        Value of the shares bought and sold at each close, both >= 0.
    costs : (K,) float64
        Transaction costs of each close; they lower the wealth of the next one.
    """

    dates: NDArray[np.datetime64]
    wealth: FloatArray
    shares: FloatArray
    weights: FloatArray
    bought: FloatArray
    sold: FloatArray
    costs: FloatArray

    @property
    def returns(self) -> FloatArray:
        """Simple returns (K-1,) from each close to the next."""
        return self.wealth[1:] / self.wealth[:-1] - 1


def run_policy(policy: DecidesOrders, panel: MarketPanel, window: slice, account: AccountSettings) -> Trajectory:
    """Let a policy trade from the first close of a window to the last.

    With an execution lag of 0, orders are decided and filled at the same close, which is what FinRL's
    environment assumes and nobody can do. With a lag of L sessions the orders of close t are filled at
    close t+L, at its prices; the policy then sees the account as it stands after that close's fills. What it
    ordered and is not filled yet (with a lag of 2 or more) it sees as if filled at this close, for it knows
    its own orders and would otherwise give them again.
    Nothing is filled at the last close, for no return would tell of it.

    Parameters
    ----------
    panel : MarketPanel
        May begin before the window: a policy may look back, never ahead.
    window : slice
        Rows that are traded, start and stop given.

    Raises
    ------
    ModelError
        If the policy's orders have another shape than (N,), or are not finite.
    """
    sessions, tickers, lag = window.stop - window.start, len(panel.tickers), account.execution_lag_sessions
    terms = flat_terms(tickers, account.buy_cost_bps * _BPS, account.sell_cost_bps * _BPS)
    close = panel.close[window]
    cash, shares = np.full(sessions, float(account.starting_cash)), np.zeros((sessions, tickers))
    traded, costs = np.zeros((sessions, tickers)), np.zeros(sessions)
    pending = deque(np.zeros(tickers) for _ in range(lag))
    for k in range(sessions - 1):  # each close starts from the account that the one before left
        t = window.start + k
        orders = pending.popleft() if lag else _decide(policy, panel, t, cash[k], shares[k])
        fill = execute(cash[k], shares[k], close[k], orders, terms)
        cash[k + 1], shares[k + 1], traded[k], costs[k] = fill.cash, fill.shares, fill.traded, fill.cost
        if lag:
            for under_way in pending:
                fill = execute(fill.cash, fill.shares, close[k], under_way, terms)
            pending.append(_decide(policy, panel, t, fill.cash, fill.shares))
    held, left = np.vstack([shares[1:], shares[-1:]]), np.append(cash[1:], cash[-1])
    value = held * close
    return Trajectory(
        dates=panel.dates[window],
        wealth=cash + (shares * close).sum(axis=1),
        shares=held,
        weights=value / (left + value.sum(axis=1))[:, None],
        bought=(np.maximum(traded, 0) * close).sum(axis=1),
        sold=(np.maximum(-traded, 0) * close).sum(axis=1),
        costs=costs,
    )


def _decide(policy: DecidesOrders, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
    orders = policy.orders(panel, t, float(cash), shares.copy())
    if np.shape(orders) != shares.shape:
        raise ModelError(f"the policy gave orders of shape {np.shape(orders)}", f"{shares.shape}, one order a ticker")
    return orders
