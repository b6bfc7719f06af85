"""The compiled step of the stock-trading environment: E accounts over one market, no allocation, no Python."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled, inlined
from MLOps.market.accounting import FillRule, fill_orders
from MLOps.market.orders import EVERYTHING, action_orders

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Market(NamedTuple):
    """T sessions of M tickers, shared by all accounts and never written.

    Attributes
    ----------
    close, volume : (T, M) float64
    is_turbulent : (T,) bool
    is_frozen : (T, M) bool
        Tickers that FinRL's flag keeps from trading; (0, 0) where the fault is not copied.
    seen_close : (T, M)
        The closes as the observation shows them, of its type.
    seen_features : (T, F, M)
        The features as the observation shows them, of its type.
    """

    close: FloatArray
    volume: FloatArray
    is_turbulent: BoolArray
    is_frozen: BoolArray
    seen_close: npt.NDArray[Any]
    seen_features: npt.NDArray[Any]


class Rules(NamedTuple):
    """What all accounts have in common.

    Attributes
    ----------
    buy_cost, sell_cost : (M,) float64
        Fractions of the traded value.
    fill : FillRule
        Slippage, impact, fractions.
    max_shares : float32
        FinRL's hmax; float32, because FinRL multiplies so.
    takes_weights : bool
        Whether an action means target weights.
    is_finrl : bool
        Whether FinRL's faults are copied.
    reward_scaling, initial_cash : float
    initial_shares : (M,) float64
    cash_mean, cash_scale : float
        Normalisation of the cash in the observation.
    shares_mean, shares_scale : (M,) float64
        Normalisation of the shares.
    limit : float
        Bound of the normalised values.
    """

    buy_cost: FloatArray
    sell_cost: FloatArray
    fill: FillRule
    max_shares: np.floating
    takes_weights: bool
    is_finrl: bool
    reward_scaling: float
    initial_cash: float
    initial_shares: FloatArray
    cash_mean: float
    cash_scale: float
    shares_mean: FloatArray
    shares_scale: FloatArray
    limit: float


class Accounts(NamedTuple):
    """E accounts of N tickers each; changed in place.

    Attributes
    ----------
    columns : (E, N) int64
        The market's columns that each account trades, ascending.
    start, day, end : (E,) int64
        Rows at which the episode began, stands and ends.
    is_cut : (E,) bool
        Whether the episode's end is a limit of its length, not the end of the window.
    cash, wealth : (E,) float64
        Before the orders of `day`, in the quote currency.
    shares : (E, N) float64
        Held.
    reward, episode_reward, cost : (E,) float64
        The last step's reward; the sums of the rewards and of the trading costs since `start`.
    """

    columns: IntArray
    start: IntArray
    day: IntArray
    end: IntArray
    is_cut: BoolArray
    cash: FloatArray
    wealth: FloatArray
    shares: FloatArray
    reward: FloatArray
    episode_reward: FloatArray
    cost: FloatArray


@compiled
def step_accounts(
    market: Market,
    rules: Rules,
    accounts: Accounts,
    actions: npt.NDArray[np.float32],
    observations: npt.NDArray[Any],
    rewards: FloatArray,
    is_last: BoolArray,
) -> tuple[int, int]:
    """Trade on the actions at each account's close and go to its next one.

    Parameters
    ----------
    actions : (E, N) float32
    observations : (E, 1 + 2 N + N F) float32 or float64
        Written.
    rewards : (E,) float64
        Written.
    is_last : (E,) bool
        Written: whether the episode has ended.

    Returns
    -------
    ended : int
        Number of episodes that ended.
    malformed : int
        First account whose action is not finite, in which case none has stepped; -1 if there is none.
    """
    malformed = _first_malformed(actions)
    if malformed >= 0:
        return 0, malformed
    # arrays are taken out of their tuples once: within the loop each access would count references
    close, volume, is_turbulent, is_frozen = market.close, market.volume, market.is_turbulent, market.is_frozen
    seen_close, seen_features = market.seen_close, market.seen_features
    buy_costs, sell_costs, fill, is_finrl = rules.buy_cost, rules.sell_cost, rules.fill, rules.is_finrl
    view = (rules.cash_mean, rules.cash_scale, rules.shares_mean, rules.shares_scale, rules.limit)
    all_columns, all_shares, day = accounts.columns, accounts.shares, accounts.day
    tickers = all_columns.shape[1]
    is_whole = tickers == close.shape[1]  # else each account trades its own basket of the market
    orders, basket = np.empty(tickers), np.empty((4, tickers))
    buy_cost, sell_cost = (buy_costs, sell_costs) if is_whole else (basket[2], basket[3])
    keys, ranked = np.empty(tickers, np.int64), np.empty(tickers, np.int64)
    ended = 0
    for e in range(len(day)):
        t, columns, shares, action = day[e], all_columns[e], all_shares[e], actions[e]
        is_last[e] = False
        if is_finrl and t == accounts.end[e]:
            rewards[e] = accounts.reward[e]  # FinRL's last step trades nothing and pays the last reward again
            accounts.episode_reward[e] += rewards[e]
            _observe(t, accounts.cash[e], shares, columns, seen_close, seen_features, view, observations[e])
            is_last[e] = True
            ended += 1
            continue
        prices, traded_volume = (close[t], volume[t]) if is_whole else (basket[0], basket[1])
        if not is_whole:
            for k in range(tickers):
                column = columns[k]
                prices[k], traded_volume[k] = close[t, column], volume[t, column]
                buy_cost[k], sell_cost[k] = buy_costs[column], sell_costs[column]
        if is_turbulent[t] and not (is_finrl and t == accounts.start[e]):
            orders[:] = EVERYTHING
        else:
            action_orders(
                action,
                rules.takes_weights,
                rules.max_shares,
                fill.is_fractional,
                accounts.cash[e],
                shares,
                prices,
                orders,
            )
            if is_finrl:
                for k in range(tickers):
                    if is_frozen[t, columns[k]]:
                        orders[k] = 0.0
        cash, cost = fill_orders(
            accounts.cash[e], shares, prices, traded_volume, orders, buy_cost, sell_cost, fill, keys, ranked
        )
        t += 1
        wealth = _wealth(t, cash, shares, columns, close)
        reward = (wealth - accounts.wealth[e]) * rules.reward_scaling
        day[e], accounts.cash[e], accounts.wealth[e] = t, cash, wealth
        accounts.cost[e] += cost
        accounts.episode_reward[e] += reward
        accounts.reward[e] = rewards[e] = reward
        _observe(t, cash, shares, columns, seen_close, seen_features, view, observations[e])
        if t == accounts.end[e] and not is_finrl:
            is_last[e] = True
            ended += 1
    return ended, -1


@compiled
def begin_episodes(
    market: Market, rules: Rules, accounts: Accounts, which: IntArray, observations: npt.NDArray[Any]
) -> None:
    """Put the accounts `which` at their `start`, with the initial cash and shares, and write their observations."""
    view = (rules.cash_mean, rules.cash_scale, rules.shares_mean, rules.shares_scale, rules.limit)
    for e in which:
        t, columns, shares = accounts.start[e], accounts.columns[e], accounts.shares[e]
        for k in range(len(columns)):
            shares[k] = rules.initial_shares[columns[k]]
        accounts.day[e], accounts.cash[e] = t, rules.initial_cash
        accounts.wealth[e] = _wealth(t, rules.initial_cash, shares, columns, market.close)
        accounts.reward[e] = accounts.episode_reward[e] = accounts.cost[e] = 0.0
        _observe(t, rules.initial_cash, shares, columns, market.seen_close, market.seen_features, view, observations[e])


@inlined
def _first_malformed(actions: npt.NDArray[np.float32]) -> int:
    """First row that is not finite, or -1."""
    first = -1
    for e in range(len(actions) - 1, -1, -1):
        is_finite = True
        for k in range(actions.shape[1]):
            is_finite &= actions[e, k] - actions[e, k] == 0.0  # the difference is NaN for NaN and for infinity
        if not is_finite:
            first = e
    return first


@inlined
def _wealth(t: int, cash: float, shares: FloatArray, columns: IntArray, close: FloatArray) -> float:
    """Cash and holdings at close t, added in FinRL's order."""
    held = 0.0
    if len(shares) == close.shape[1]:
        for k in range(len(shares)):
            held += close[t, k] * shares[k]
    else:
        for k in range(len(shares)):
            held += close[t, columns[k]] * shares[k]
    return cash + held


@inlined
def _observe(
    t: int,
    cash: float,
    shares: FloatArray,
    columns: IntArray,
    seen_close: npt.NDArray[Any],
    seen_features: npt.NDArray[Any],
    view: tuple[float, float, FloatArray, FloatArray, float],
    seen: npt.NDArray[Any],
) -> None:
    """Write cash, close (N), shares (N) and the features (N each) as the agent sees them."""
    cash_mean, cash_scale, shares_mean, shares_scale, limit = view
    tickers, features = len(columns), seen_features.shape[1]
    first_share, first_feature = 1 + tickers, 1 + 2 * tickers
    seen[0] = min(max((cash - cash_mean) / cash_scale, -limit), limit)
    if tickers == seen_close.shape[1]:
        for k in range(tickers):
            seen[1 + k] = seen_close[t, k]
        for k in range(tickers):
            seen[first_share + k] = min(max((shares[k] - shares_mean[k]) / shares_scale[k], -limit), limit)
        seen[first_feature:] = seen_features[t].reshape(features * tickers)
        return
    for k in range(tickers):
        c = columns[k]
        seen[1 + k] = seen_close[t, c]
        seen[first_share + k] = min(max((shares[k] - shares_mean[c]) / shares_scale[c], -limit), limit)
        for f in range(features):
            seen[first_feature + f * tickers + k] = seen_features[t, f, c]
