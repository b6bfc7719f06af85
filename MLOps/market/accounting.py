"""What a set of orders does to cash and shares: the rule that environment, backtest and broker share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from MLOps.compiled import compiled, inlined
from MLOps.errors import DataError, ModelError
from MLOps.market.fill_rule import AT_THE_CLOSE, FillRule, affordable, affordable_with_impact, worse_by

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.uint64]


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
    _check(prices, orders)
    held, traded = shares.astype(np.float64), orders.astype(np.float64)
    known = traded_volume(terms.rule, volume, prices)
    left, cost = _fill_one(float(cash), held, prices, known, traded, terms.buy_cost, terms.sell_cost, terms.rule)
    return Fill(left, held, traded, cost)


def traded_volume(rule: FillRule, volume: FloatArray | None, prices: FloatArray) -> FloatArray:
    """What the compiled functions take as volume: the market's, or without an impact, when none is read, `prices`.

    Raises
    ------
    DataError
        If there is an impact and a volume is not known or negative.
    """
    if not rule.has_impact:
        return prices
    mend = "the features, or linear_impact_bps=0 and root_impact_bps=0"
    if volume is None:
        raise DataError("market impact on prices without volume", "features with a column volume", mend)
    if not (np.isfinite(volume) & (volume >= 0)).all():
        raise DataError("market impact with a volume that is missing or negative", "volumes of 0 or more", mend)
    return np.ascontiguousarray(volume)


def _check(prices: FloatArray, orders: FloatArray) -> None:
    if not (np.isfinite(prices).all() and (prices > 0).all()):
        raise DataError(f"a price of {prices[~(prices > 0)].tolist() or 'inf'}", "finite positive prices")
    if not np.isfinite(orders).all():
        raise ModelError(f"orders {orders.tolist()}", "finite numbers of shares", "the policy that gave the orders")


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
    sizes, ranks = working_memory(len(orders))
    return fill_orders(cash, shares, prices, volume, orders, buy_cost, sell_cost, rule, sizes, ranks)


@inlined
def working_memory(tickers: int) -> tuple[FloatArray, IndexArray]:
    """The arrays `sizes` and `ranks` of `fill_orders`; unsigned, for no index is negative then."""
    return np.empty(tickers), np.empty((3, tickers), np.uint64)


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
    sizes: FloatArray,
    ranks: IndexArray,
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
    sizes, ranks : (N,) float64, (3, N) uint64
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
    if has_impact:
        for k in range(tickers):
            orders[k] = min(max(orders[k], -volume[k]), volume[k])
    if not rule.is_fractional:
        for k in range(tickers):
            orders[k] = np.trunc(orders[k])
    for k in range(tickers):
        orders[k] = max(orders[k], 0.0) if shares[k] <= 0.0 else orders[k]

    sells = 0
    for k in range(tickers):
        sizes[sells], ranks[0, sells] = orders[k], k
        sells += orders[k] < 0.0
    _rank(sizes, sells, ranks)
    for place in range(sells):
        k = ranks[2, place]
        sold = min(-orders[k], shares[k])
        worse = worse_by(sold, volume[k], rule) if has_impact else rule.slippage
        value = prices[k] * sold
        cash += value * (1.0 - worse) * (1.0 - sell_cost[k])
        cost += value * worse + value * (1.0 - worse) * sell_cost[k]
        shares[k] -= sold
        orders[k] = -sold

    buys = 0
    for k in range(tickers):
        sizes[buys], ranks[0, buys] = orders[k], k
        buys += orders[k] > 0.0
    _rank(sizes, buys, ranks)
    for place in range(buys):
        k = ranks[2, buys - 1 - place]
        if has_impact:
            bought = affordable_with_impact(cash, orders[k], prices[k], buy_cost[k], volume[k], rule)
            worse = worse_by(bought, volume[k], rule)
        else:
            worse = rule.slippage
            unit_price = prices[k] * (1.0 + worse) * (1.0 + buy_cost[k])
            bought = affordable(cash, orders[k], unit_price, rule.is_fractional)
        value = prices[k] * bought
        spent = value * (1.0 + worse) * (1.0 + buy_cost[k])
        if spent > cash and not rule.may_overdraw:
            spent = cash  # by rounding alone
        cash -= spent
        cost += value * worse + value * (1.0 + worse) * buy_cost[k]
        shares[k] += bought
        orders[k] = bought
    return cash, cost


@compiled
def _rank(sizes: FloatArray, count: int, ranks: IndexArray) -> None:
    """Sort the tickers ``ranks[0]`` by their sizes into ``ranks[2]``, ascending, equal ones as they stand.

    By counting in ``ranks[1]`` how many come before each: there is no branch to mispredict, and for some
    dozens of tickers that is twice as fast as an insertion sort.
    """
    for a in range(count):
        size, before = sizes[a], 0
        for b in range(a):
            is_less = size < sizes[b]
            ranks[1, b] += is_less
            before += not is_less
        ranks[1, a] = before
    for a in range(count):
        ranks[2, ranks[1, a]] = ranks[0, a]
