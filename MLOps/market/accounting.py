"""What a set of orders does to cash and shares: the rule that environment, backtest and broker share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MLOps.errors import DataError, ModelError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fill:
    """The account after the orders of one close.

    Attributes
    ----------
    cash : float
        Cash left, never negative, in the currency of the prices.
    shares : (N,) float64
        Whole shares held of each ticker.
    traded : (N,) float64
        Shares that changed hands, bought positive and sold negative.
    cost : float
        Transaction costs paid, in the currency of the prices.
    """

    cash: float
    shares: FloatArray
    traded: FloatArray
    cost: float


def execute(
    cash: float, shares: FloatArray, prices: FloatArray, orders: FloatArray, buy_cost: float, sell_cost: float
) -> Fill:
    """Fill orders at one set of prices: all sells, largest first, then buys, largest first, within the cash.

    Orders are cut to whole shares towards zero. A sell stops at what is held (no short position), a buy
    at what the cash left can pay for, its cost included. Equal sells are filled in the tickers' order,
    equal buys in the reverse of it. (FinRL leaves equal orders to NumPy's unstable sort, which orders
    them differently from one processor to the next.)

    Parameters
    ----------
    cash : float
        Cash before the orders, >= 0.
    shares : (N,) float64
        Shares held before the orders, >= 0. Not changed.
    prices : (N,) float64
        Price of one share, finite and positive.
    orders : (N,) float64
        Signed shares wanted: positive buys, negative sells. Must be finite.
    buy_cost, sell_cost : float
        Costs as a fraction of the traded value, in [0, 1).

    Raises
    ------
    DataError
        If a price is not finite and positive.
    ModelError
        If an order is not finite.

    Notes
    -----
    Wealth is conserved: cash + shares @ prices before equals the same after, plus the cost.
    Source: ``StockTradingEnv.step`` of FinRL 0.3.7, without its habit to freeze a ticker whose first
    indicator equals 1.
    """
    _check(prices, orders)
    wanted = np.trunc(orders)
    left, held, cost = float(cash), shares.astype(np.float64), 0.0
    by_size = np.argsort(wanted, kind="stable")
    for ticker in by_size[: np.count_nonzero(wanted < 0)]:
        sold = min(-wanted[ticker], held[ticker])
        held[ticker] -= sold
        left += prices[ticker] * sold * (1 - sell_cost)
        cost += prices[ticker] * sold * sell_cost
    for ticker in by_size[::-1][: np.count_nonzero(wanted > 0)]:
        price_with_cost = prices[ticker] * (1 + buy_cost)
        bought = min(wanted[ticker], left // price_with_cost)
        held[ticker] += bought
        left -= bought * price_with_cost
        cost += prices[ticker] * bought * buy_cost
    return Fill(float(left), held, held - shares, float(cost))


def _check(prices: FloatArray, orders: FloatArray) -> None:
    if not (np.isfinite(prices).all() and (prices > 0).all()):
        raise DataError(f"a price of {prices[~(prices > 0)].tolist() or 'inf'}", "finite positive prices")
    if not np.isfinite(orders).all():
        raise ModelError(f"orders {orders.tolist()}", "finite numbers of shares", "the policy that gave the orders")
