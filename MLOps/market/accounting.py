"""What a set of orders does to cash and shares: the rule that environment, backtest and broker share."""

from dataclasses import dataclass
from math import floor, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from MLOps.compiled import compiled, inlined
from MLOps.errors import DataError, ModelError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_INDEX_BITS = 16  # of a sort key; the rest holds the order
_INDEX_MASK = 2**_INDEX_BITS - 1
_LARGEST_KEY = float(2**46)
_FRACTIONS_OF_A_SHARE = 1e6  # fractional orders are ranked by millionths of a share
_CLEARLY = 1.0 - 1e-9  # less than this part of the cash is affordable whatever the rounding
_BISECTIONS = 64


class FillRule(NamedTuple):
    """How fills are made, whatever the ticker; numbers alone, for the compiled functions.

    The fill of q shares is worse than the close by the fraction ``slippage + linear_impact * p +
    root_impact * sqrt(p)`` with the participation ``p = q / volume``. With an impact, a fill stops at the
    session's volume. Source: Almgren, Thum, Hauptmann and Li, "Direct estimation of equity market
    impact", 2005, for the two shapes.

    Attributes
    ----------
    slippage, linear_impact, root_impact : float
        Fractions of the price, >= 0 and summing to less than 1.
    is_fractional : bool
        Whether parts of a share are traded; otherwise orders are cut to whole shares towards zero.
    may_overdraw : bool
        FinRL's rounding: a buy that uses up the cash may leave it a hair below zero, and the next buy
        then "buys" minus one share. Otherwise a buy never spends more than the cash.
    """

    slippage: float
    linear_impact: float
    root_impact: float
    is_fractional: bool
    may_overdraw: bool


AT_THE_CLOSE = FillRule(0.0, 0.0, 0.0, is_fractional=False, may_overdraw=False)
"""Whole shares at the close."""


@dataclass(frozen=True, slots=True)
class TradingTerms:
    """What trading costs.

    Attributes
    ----------
    buy_cost, sell_cost : (N,) float64
        Costs as a fraction of the traded value, in [0, 1).
    rule : FillRule
        Slippage, impact, fractions.
    """

    buy_cost: FloatArray
    sell_cost: FloatArray
    rule: FillRule = AT_THE_CLOSE


def flat_terms(tickers: int, buy_cost: float, sell_cost: float) -> TradingTerms:
    """Whole shares at the close, at one cost for every ticker: FinRL's terms."""
    return TradingTerms(np.full(tickers, buy_cost), np.full(tickers, sell_cost))


@dataclass(frozen=True, slots=True)
class Fill:
    """The account after the orders of one close.

    Attributes
    ----------
    cash : float
        Cash left, never negative, in the currency of the prices.
    shares : (N,) float64
        Shares held of each ticker.
    traded : (N,) float64
        Shares that changed hands, bought positive and sold negative.
    cost : float
        What trading cost against the close, in the currency of the prices: transaction costs, slippage
        and impact.
    """

    cash: float
    shares: FloatArray
    traded: FloatArray
    cost: float


def execute(
    cash: float,
    shares: FloatArray,
    prices: FloatArray,
    orders: FloatArray,
    terms: TradingTerms,
    volume: FloatArray | None = None,
) -> Fill:
    """Fill one account's orders at one set of prices; see `fill_orders` for the rule.

    Parameters
    ----------
    cash : float
        Cash before the orders, >= 0.
    shares : (N,) float64
        Shares held before the orders, >= 0. Not changed.
    prices : (N,) float64
        Price of one share, finite and positive.
    orders : (N,) float64
        Signed shares wanted: positive buys, negative sells. Must be finite. Not changed.
    terms : TradingTerms
        Costs, slippage, impact.
    volume : (N,) float64, optional
        Shares that the market traded in the session, >= 0; needed where an impact is set.

    Raises
    ------
    DataError
        If a price is not finite and positive, or an impact is set and the volume is not known.
    ModelError
        If an order is not finite.

    Notes
    -----
    Wealth is conserved: cash + shares @ prices before equals the same after, plus the cost.
    """
    _check(prices, orders, terms, volume)
    held, traded = shares.astype(np.float64), orders.astype(np.float64)
    known = prices if volume is None else volume  # not read without an impact
    left, cost = _fill_one(float(cash), held, prices, known, traded, terms.buy_cost, terms.sell_cost, terms.rule)
    return Fill(left, held, traded, cost)


def _check(prices: FloatArray, orders: FloatArray, terms: TradingTerms, volume: FloatArray | None) -> None:
    if not (np.isfinite(prices).all() and (prices > 0).all()):
        raise DataError(f"a price of {prices[~(prices > 0)].tolist() or 'inf'}", "finite positive prices")
    if not np.isfinite(orders).all():
        raise ModelError(f"orders {orders.tolist()}", "finite numbers of shares", "the policy that gave the orders")
    if volume is None and (terms.rule.linear_impact > 0 or terms.rule.root_impact > 0):
        raise DataError(
            "market impact on prices without volume",
            "features with a column volume",
            "linear_impact_bps=0, root_impact_bps=0",
        )


@compiled
def _fill_one(
    cash: float,
    shares: FloatArray,
    prices: FloatArray,
    volume: FloatArray,
    orders: FloatArray,
    buy_cost: FloatArray,
    sell_cost: FloatArray,
    rule: FillRule,
) -> tuple[float, float]:
    keys, ranked = np.empty(len(orders), np.int64), np.empty(len(orders), np.int64)
    return fill_orders(cash, shares, prices, volume, orders, buy_cost, sell_cost, rule, keys, ranked)


@inlined
def fill_orders(
    cash: float,
    shares: FloatArray,
    prices: FloatArray,
    volume: FloatArray,
    orders: FloatArray,
    buy_cost: FloatArray,
    sell_cost: FloatArray,
    rule: FillRule,
    keys: IntArray,
    ranked: IntArray,
) -> tuple[float, float]:
    """Fill one account's orders in place: all sells, largest first, then buys, largest first, within the cash.

    A sell stops at what is held (no short position), a buy at what the cash left can pay for, its costs
    included. Equal sells are filled in the tickers' order, equal buys in the reverse of it: a stable
    ascending sort of the orders, read from both ends. (FinRL leaves equal orders to NumPy's unstable
    sort, which orders them differently from one processor to the next.)

    Parameters
    ----------
    cash : float
        Cash before the orders, >= 0.
    shares : (N,) float64
        Shares held, >= 0; changed to what is held after.
    prices : (N,) float64
        Price of one share, positive.
    volume : (N,) float64
        Shares that the market traded; read only where the rule has an impact.
    orders : (N,) float64
        Signed shares wanted, finite; changed to the signed shares traded.
    buy_cost, sell_cost : (N,) float64
        Costs as a fraction of the traded value, in [0, 1).
    rule : FillRule
        Slippage, impact, fractions.
    keys, ranked : (N,) int64
        Working memory.

    Returns
    -------
    cash : float
        Cash left, >= 0.
    cost : float
        What trading cost against the prices.

    Notes
    -----
    Source: ``StockTradingEnv.step`` of FinRL 0.3.7, operation by operation, so that the last bits agree;
    without its habit to freeze a ticker whose first indicator equals 1.
    """
    tickers, cost = len(orders), 0.0
    has_impact = rule.linear_impact > 0.0 or rule.root_impact > 0.0
    for k in range(tickers):
        wanted = orders[k]
        if has_impact:
            wanted = min(max(wanted, -volume[k]), volume[k])
        if not rule.is_fractional:
            wanted = np.trunc(wanted)
        orders[k] = 0.0 if wanted < 0.0 and shares[k] <= 0.0 else wanted

    sells = 0
    for k in range(tickers):
        keys[sells] = _sort_key(orders[k], k, rule.is_fractional)
        sells += orders[k] < 0.0
    _rank(keys, sells, 1, ranked)
    for place in range(sells):
        k = ranked[place]
        sold = min(-orders[k], shares[k])
        worse = _worse_by(sold, volume[k], rule) if has_impact else rule.slippage
        value = prices[k] * sold
        cash += value * (1.0 - worse) * (1.0 - sell_cost[k])
        cost += value * worse + value * (1.0 - worse) * sell_cost[k]
        shares[k] -= sold
        orders[k] = -sold

    buys = 0
    for k in range(tickers):
        keys[buys] = -_sort_key(orders[k], k, rule.is_fractional)
        buys += orders[k] > 0.0
    _rank(keys, buys, -1, ranked)
    for place in range(buys):
        k = ranked[place]
        if has_impact:
            bought = _affordable_with_impact(cash, orders[k], prices[k], buy_cost[k], volume[k], rule)
            worse = _worse_by(bought, volume[k], rule)
        else:
            worse = rule.slippage
            unit_price = prices[k] * (1.0 + worse) * (1.0 + buy_cost[k])
            bought = _affordable(cash, orders[k], unit_price, rule.is_fractional)
        value = prices[k] * bought
        spent = value * (1.0 + worse) * (1.0 + buy_cost[k])
        if spent > cash and not rule.may_overdraw:
            spent = cash  # by rounding alone
        cash -= spent
        cost += value * worse + value * (1.0 + worse) * buy_cost[k]
        shares[k] += bought
        orders[k] = bought
    return cash, cost


@inlined
def _sort_key(order: float, ticker: int, is_fractional: bool) -> np.int64:
    """An integer that sorts by order, then by ticker."""
    size = order * _FRACTIONS_OF_A_SHARE if is_fractional else order
    return (np.int64(min(max(size, -_LARGEST_KEY), _LARGEST_KEY)) << _INDEX_BITS) + ticker


@inlined
def _rank(keys: IntArray, count: int, sign: int, ranked: IntArray) -> None:
    """Tickers of the first `count` keys in ascending order, by counting: no branch to mispredict.

    A key is `sign` times a `_sort_key`.
    """
    for a in range(count):
        rank = 0
        for b in range(count):
            rank += keys[b] < keys[a]
        ranked[rank] = a
    for place in range(count):
        ranked[place] = (sign * keys[ranked[place]]) & _INDEX_MASK


@inlined
def _affordable(cash: float, wanted: float, unit_price: float, is_fractional: bool) -> float:
    """As much of `wanted` as the cash pays for; the whole number is Python's exact ``cash // unit_price``."""
    if wanted * unit_price <= cash * _CLEARLY:
        return wanted
    if is_fractional:
        return min(wanted, cash / unit_price)
    if 0.0 <= cash < unit_price:
        return 0.0
    quotient = cash / unit_price
    whole = float(floor(quotient))
    if whole == quotient:  # only then may the division have rounded up
        whole = cash // unit_price
    return min(wanted, whole)


@inlined
def _affordable_with_impact(
    cash: float, wanted: float, price: float, buy_cost: float, volume: float, rule: FillRule
) -> float:
    """As much of `wanted` as the cash pays for, where the price rises with the amount; by bisection."""
    if _spent(wanted, price, buy_cost, volume, rule) <= cash:
        return wanted
    low, high = 0.0, wanted
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if _spent(middle, price, buy_cost, volume, rule) <= cash:
            low = middle
        else:
            high = middle
    if rule.is_fractional:
        return low
    whole = float(floor(high))  # the bisection may have stopped a hair below a whole number that is affordable
    return whole if _spent(whole, price, buy_cost, volume, rule) <= cash else float(floor(low))


@inlined
def _spent(bought: float, price: float, buy_cost: float, volume: float, rule: FillRule) -> float:
    return price * bought * (1.0 + _worse_by(bought, volume, rule)) * (1.0 + buy_cost)


@inlined
def _worse_by(traded: float, volume: float, rule: FillRule) -> float:
    """Fraction of the price by which a fill of `traded` shares is worse than the close."""
    if traded <= 0.0:
        return 0.0
    participation = traded / volume
    return rule.slippage + rule.linear_impact * participation + rule.root_impact * sqrt(participation)
