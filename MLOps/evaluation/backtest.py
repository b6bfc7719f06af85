"""Runs a policy or target weights over past sessions: what would have been held, paid and earned."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from MLOps.errors import ModelError
from MLOps.evaluation.backtest_kernel import (
    Exchange,
    Ledger,
    Valuation,
    account_as_ordered,
    fill_close,
    follow_weights,
    value_path,
)
from MLOps.market.accounting import FloatArray, TradingTerms, traded_volume
from MLOps.market.fill_rule import FillRule
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings

_BPS = 1e-4
_ROUNDING = 1e-9  # by which weights may sum to more than 1


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
        What the fills of each close cost, slippage and impact included; they lower the wealth of the next one.
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


def account_terms(account: AccountSettings, tickers: int) -> TradingTerms:
    """What trading costs the account, the same for each of N tickers."""
    rule = FillRule(
        slippage=account.slippage_bps * _BPS,
        linear_impact=account.linear_impact_bps * _BPS,
        root_impact=account.root_impact_bps * _BPS,
        is_fractional=account.allow_fractional_shares,
        may_overdraw=False,
    )
    buy_cost, sell_cost = np.full(tickers, account.buy_cost_bps * _BPS), np.full(tickers, account.sell_cost_bps * _BPS)
    return TradingTerms(buy_cost, sell_cost, rule)


def run_policy(
    policy: DecidesOrders,
    panel: MarketPanel,
    window: slice,
    account: AccountSettings,
    terms: TradingTerms | None = None,
) -> Trajectory:
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
    account : AccountSettings
        Starting cash, costs, lag.
    terms : TradingTerms, optional
        In place of the account's costs and fills, where they differ by ticker.

    Raises
    ------
    ModelError
        If the policy's orders have another shape than (N,), or are not finite.
    DataError
        If an impact is set and the panel has no volume.
    """
    exchange = _exchange(panel, window, account, terms)
    ledger = _empty_ledger(exchange, account.starting_cash)
    lag = account.execution_lag_sessions
    for k in range(len(exchange.close) - 1):
        if lag > 0:
            fill_close(exchange, ledger, k, lag)
        row = k if lag == 0 else k + 1  # without lag, close k is filled after its decision
        cash, shares = ledger.cash[row], ledger.shares[row].copy()
        if lag > 1:
            cash = account_as_ordered(exchange, ledger, k, lag, shares)
        ledger.orders[k] = _decide(policy, panel, window.start + k, float(cash), shares)
        if lag == 0:
            fill_close(exchange, ledger, k, lag)
    return _trajectory(panel.dates[window], exchange, ledger)


def run_weights(
    weights: FloatArray,
    panel: MarketPanel,
    window: slice,
    account: AccountSettings,
    terms: TradingTerms | None = None,
) -> Trajectory:
    """Move to target weights at the closes of a window, in one compiled call.

    The same as `run_policy` with a policy that orders what leads to the weights of its row.

    Parameters
    ----------
    weights : (K, N) float64
        Fractions of the wealth at each close of the window, >= 0 and summing to at most 1; the rest is cash. A row
        of NaN orders nothing at its close.
    panel, window, account, terms
        As for `run_policy`.

    Raises
    ------
    ModelError
        If the weights have another shape than (K, N), or a row is neither NaN nor weights.
    DataError
        If an impact is set and the panel has no volume.
    """
    exchange = _exchange(panel, window, account, terms)
    ledger = _empty_ledger(exchange, account.starting_cash)
    follow_weights(_checked(weights, exchange), exchange, ledger, account.execution_lag_sessions)
    return _trajectory(panel.dates[window], exchange, ledger)


def _exchange(panel: MarketPanel, window: slice, account: AccountSettings, terms: TradingTerms | None) -> Exchange:
    costs = terms or account_terms(account, len(panel.tickers))
    close = np.ascontiguousarray(panel.close[window])
    volume = traded_volume(costs.rule, None if panel.volume is None else panel.volume[window], close)
    return Exchange(close, volume, costs.buy_cost, costs.sell_cost, costs.rule)


def _empty_ledger(exchange: Exchange, starting_cash: float) -> Ledger:
    sessions, tickers = exchange.close.shape
    ledger = Ledger(
        orders=np.zeros((sessions, tickers)),
        cash=np.zeros(sessions + 1),
        shares=np.zeros((sessions + 1, tickers)),
        traded=np.zeros((sessions, tickers)),
        costs=np.zeros(sessions),
    )
    ledger.cash[0] = starting_cash
    return ledger


def _decide(policy: DecidesOrders, panel: MarketPanel, t: int, cash: float, shares: FloatArray) -> FloatArray:
    orders = policy.orders(panel, t, cash, shares)
    if np.shape(orders) != shares.shape:
        raise ModelError(f"the policy gave orders of shape {np.shape(orders)}", f"{shares.shape}, one order a ticker")
    if not np.isfinite(orders).all():
        raise ModelError(
            f"orders {np.asarray(orders).tolist()}", "finite numbers of shares", "the policy that gave the orders"
        )
    return orders


def _checked(weights: FloatArray, exchange: Exchange) -> FloatArray:
    if np.shape(weights) != exchange.close.shape:
        raise ModelError(f"weights of shape {np.shape(weights)}", f"{exchange.close.shape}, one a session and ticker")
    is_hold = np.isnan(weights).all(axis=1)
    is_weights = (weights >= 0).all(axis=1) & (weights.sum(axis=1) <= 1 + _ROUNDING)
    if not (is_hold | is_weights).all():
        wrong = int(np.argmin(is_hold | is_weights))
        raise ModelError(f"weights {weights[wrong].tolist()} in row {wrong}", ">= 0, summing to <= 1; or NaN to hold")
    return np.ascontiguousarray(weights, dtype=np.float64)


def _trajectory(dates: NDArray[np.datetime64], exchange: Exchange, ledger: Ledger) -> Trajectory:
    sessions, tickers = exchange.close.shape
    wealth, bought, sold = np.zeros((3, sessions))
    valuation = Valuation(wealth, np.zeros((sessions, tickers)), bought, sold)
    value_path(exchange, ledger, valuation)
    return Trajectory(dates, shares=ledger.shares[1:], costs=ledger.costs, **valuation._asdict())
