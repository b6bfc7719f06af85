"""The compiled part of a backtest: what is filled at each close, and the whole path of given target weights."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from MLOps.compiled import compiled
from MLOps.market.accounting import FloatArray, IndexArray, fill_orders, working_memory
from MLOps.market.fill_rule import FillRule
from MLOps.market.orders import weight_orders


class Exchange(NamedTuple):
    """K closes of N tickers and what trading at them costs; never written.

    Attributes
    ----------
    close, volume : (K, N) float64
        The volume is read only where the rule has an impact.
    buy_cost, sell_cost : (N,) float64
        Fractions of the traded value.
    rule : FillRule
        Slippage, impact, fractions.
    """

    close: FloatArray
    volume: FloatArray
    buy_cost: FloatArray
    sell_cost: FloatArray
    rule: FillRule


class Ledger(NamedTuple):
    """One account over K closes, written close by close; nothing is filled at the last.

    Attributes
    ----------
    orders : (K, N) float64
        Signed shares decided on at each close.
    cash : (K + 1,) float64
        Row k is what there was before the fills of close k, row k + 1 what they left.
    shares : (K + 1, N) float64
        Likewise what was held.
    traded : (K, N) float64
        Signed shares filled at each close.
    costs : (K,) float64
        What the fills of each close cost.
    """

    orders: FloatArray
    cash: FloatArray
    shares: FloatArray
    traded: FloatArray
    costs: FloatArray


class Valuation(NamedTuple):
    """What a ledger was worth; the fields are those of `Trajectory`."""

    wealth: FloatArray
    weights: FloatArray
    bought: FloatArray
    sold: FloatArray


@compiled
def fill_close(exchange: Exchange, ledger: Ledger, k: int, lag: int) -> None:
    """Fill at close k, which is not the last, what was decided on `lag` closes before it."""
    sizes, ranks = working_memory(exchange.close.shape[1])
    _fill(exchange, ledger, k, lag, sizes, ranks)


@compiled
def account_as_ordered(exchange: Exchange, ledger: Ledger, k: int, lag: int, shares: FloatArray) -> float:
    """The account after the fills of close k, as if all that is still under way were filled at it, too.

    Parameters
    ----------
    shares : (N,) float64
        Written: what would be held.

    Returns
    -------
    float
        What cash would be left.
    """
    sizes, ranks = working_memory(exchange.close.shape[1])
    return _look_ahead(exchange, ledger, k, lag, shares, np.empty_like(shares), sizes, ranks)


@compiled
def follow_weights(weights: NDArray[np.float64], exchange: Exchange, ledger: Ledger, lag: int) -> None:
    """Write the path of an account that moves to target weights.

    Parameters
    ----------
    weights : (K, N) float64
        Fractions of the wealth; a row whose first entry is NaN orders nothing.
    ledger : Ledger
        All zero but ``cash[0]``; written.
    lag : int
        Closes from decision to fill.
    """
    close, is_fractional, orders = exchange.close, exchange.rule.is_fractional, ledger.orders
    sizes, ranks = working_memory(exchange.close.shape[1])
    shares, scratch = np.empty(close.shape[1]), np.empty(close.shape[1])
    for k in range(len(close) - 1):
        if lag > 0:
            _fill(exchange, ledger, k, lag, sizes, ranks)
        if not np.isnan(weights[k, 0]):
            cash = _look_ahead(exchange, ledger, k, lag, shares, scratch, sizes, ranks)
            weight_orders(weights[k], cash, shares, close[k], is_fractional, orders[k])
        if lag == 0:
            _fill(exchange, ledger, k, lag, sizes, ranks)


@compiled
def value_path(exchange: Exchange, ledger: Ledger, valuation: Valuation) -> None:
    """Write what the account was worth at each close, and what it held after its last one.

    Wealth is added in the order of FinRL's environment, so that the last bits agree with it.
    """
    close, cash, shares, traded = exchange.close, ledger.cash, ledger.shares, ledger.traded
    wealth, weights, bought, sold = valuation.wealth, valuation.weights, valuation.bought, valuation.sold
    sessions, tickers = close.shape
    cash[sessions], shares[sessions] = cash[sessions - 1], shares[sessions - 1]
    for k in range(sessions):
        before, after = 0.0, 0.0
        for n in range(tickers):
            price, change = close[k, n], traded[k, n]
            before += price * shares[k, n]
            after += price * shares[k + 1, n]
            bought[k] += price * max(change, 0.0)
            sold[k] += price * max(-change, 0.0)
        wealth[k] = cash[k] + before
        for n in range(tickers):
            weights[k, n] = close[k, n] * shares[k + 1, n] / (cash[k + 1] + after)


@compiled
def _fill(exchange: Exchange, ledger: Ledger, k: int, lag: int, sizes: FloatArray, ranks: IndexArray) -> None:
    shares, traded = ledger.shares[k + 1], ledger.traded[k]
    shares[:] = ledger.shares[k]
    if k >= lag:
        traded[:] = ledger.orders[k - lag]
        ledger.cash[k + 1], ledger.costs[k] = _fill_at(exchange, k, ledger.cash[k], shares, traded, sizes, ranks)
    else:
        ledger.cash[k + 1] = ledger.cash[k]


@compiled
def _look_ahead(
    exchange: Exchange,
    ledger: Ledger,
    k: int,
    lag: int,
    shares: FloatArray,
    scratch: FloatArray,
    sizes: FloatArray,
    ranks: IndexArray,
) -> float:
    row = k if lag == 0 else k + 1  # without lag, close k is filled after its decision
    cash: float = ledger.cash[row]
    shares[:] = ledger.shares[row]
    for decided in range(max(k - lag + 1, 0), k):
        scratch[:] = ledger.orders[decided]
        cash, _ = _fill_at(exchange, k, cash, shares, scratch, sizes, ranks)
    return cash


@compiled
def _fill_at(
    exchange: Exchange,
    k: int,
    cash: float,
    shares: FloatArray,
    orders: FloatArray,
    sizes: FloatArray,
    ranks: IndexArray,
) -> tuple[float, float]:
    prices, volume = exchange.close[k], exchange.volume[k]
    left, cost = fill_orders(
        cash, shares, prices, volume, orders, exchange.buy_cost, exchange.sell_cost, exchange.rule, sizes, ranks
    )
    return left, cost
