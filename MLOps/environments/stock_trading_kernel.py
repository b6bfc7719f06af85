"""The compiled step of the stock-trading environment: E accounts over one market, no allocation, no Python."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled, inlined
from MLOps.market.accounting import fill_orders, working_memory
from MLOps.market.fill_rule import FillRule
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
        Tickers that FinRL's flag keeps from trading; none where the fault is not copied.
    seen_close : (T, M)
        The closes as the observation shows them, of its type.
    seen_features : (T, F M)
        The features as the observation shows them, feature by feature, of its type.
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
    plain_market: tuple[Any, ...],
    plain_rules: tuple[Any, ...],
    plain_accounts: tuple[Any, ...],
    actions: npt.NDArray[np.float32],
    observations: npt.NDArray[Any],
    rewards: FloatArray,
    is_last: BoolArray,
) -> tuple[int, int]:
    """Trade on the actions at each account's close and go to its next one.

    Parameters
    ----------
    plain_market, plain_rules, plain_accounts : tuple
        `Market`, `Rules`, `Accounts` and what they hold as plain tuples: Numba takes them in several times
        faster than named ones.
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
    market, rules, accounts = Market(*plain_market), Rules(*plain_rules), Accounts(*plain_accounts)
    # arrays are taken out of their tuples once, and rows are copied rather than sliced: within the loop each
    # array taken out and each slice would count references
    close, volume, is_turbulent, is_frozen = market.close, market.volume, market.is_turbulent, market.is_frozen
    buy_costs, sell_costs, fill, is_finrl = rules.buy_cost, rules.sell_cost, FillRule(*rules.fill), rules.is_finrl
    columns, held, cash_of, day = accounts.columns, accounts.shares, accounts.cash, accounts.day
    start, end, wealth_of, cost_of = accounts.start, accounts.end, accounts.wealth, accounts.cost
    last_reward, episode_reward = accounts.reward, accounts.episode_reward
    show = _view(market, rules)
    tickers = columns.shape[1]
    is_whole = tickers == close.shape[1]  # else each account trades its own basket of the market
    action, orders, shares = np.empty(tickers, np.float32), np.empty(tickers), np.empty(tickers)
    prices, volumes = np.empty(tickers), np.empty(tickers)
    buy_cost, sell_cost = buy_costs[:tickers].copy(), sell_costs[:tickers].copy()  # those of all, if each trades all
    sizes, ranks = working_memory(tickers)
    ended = 0
    for e in range(len(day)):
        t, cash, reward = day[e], cash_of[e], last_reward[e]
        is_idle = is_finrl and t == end[e]  # FinRL's last step trades nothing and pays the last reward again
        _copy_row(held, e, shares)
        if not is_idle:
            if is_whole:
                _copy_row(close, t, prices)
                _copy_row(volume, t, volumes)
            else:
                for k in range(tickers):
                    column = columns[e, k]
                    prices[k], volumes[k] = close[t, column], volume[t, column]
                    buy_cost[k], sell_cost[k] = buy_costs[column], sell_costs[column]
            if is_turbulent[t] and not (is_finrl and t == start[e]):
                orders[:] = EVERYTHING
            else:
                _copy_row(actions, e, action)
                action_orders(
                    action, rules.takes_weights, rules.max_shares, fill.is_fractional, cash, shares, prices, orders
                )
                if is_finrl:
                    for k in range(tickers):
                        orders[k] = 0.0 if is_frozen[t, columns[e, k]] else orders[k]
            cash, cost = fill_orders(cash, shares, prices, volumes, orders, buy_cost, sell_cost, fill, sizes, ranks)
            t += 1
            wealth = _wealth(t, cash, shares, columns, e, close)
            reward = (wealth - wealth_of[e]) * rules.reward_scaling
            for k in range(tickers):
                held[e, k] = shares[k]
            day[e], cash_of[e], wealth_of[e] = t, cash, wealth
            cost_of[e] += cost
        episode_reward[e] += reward
        last_reward[e] = rewards[e] = reward
        _observe(t, cash, shares, columns, e, show, observations)
        is_last[e] = is_idle or (t == end[e] and not is_finrl)
        ended += is_last[e]
    return ended, -1


@compiled
def begin_episodes(
    plain_market: tuple[Any, ...],
    plain_rules: tuple[Any, ...],
    plain_accounts: tuple[Any, ...],
    which: IntArray,
    observations: npt.NDArray[Any],
) -> None:
    """Put the accounts `which` at their `start`, with the initial cash and shares, and write their observations."""
    market, rules, accounts = Market(*plain_market), Rules(*plain_rules), Accounts(*plain_accounts)
    columns, held, show = accounts.columns, accounts.shares, _view(market, rules)
    shares = np.empty(columns.shape[1])
    for e in which:
        t = accounts.start[e]
        for k in range(len(shares)):
            shares[k] = rules.initial_shares[columns[e, k]]
            held[e, k] = shares[k]
        accounts.day[e], accounts.cash[e] = t, rules.initial_cash
        accounts.wealth[e] = _wealth(t, rules.initial_cash, shares, columns, e, market.close)
        accounts.reward[e] = accounts.episode_reward[e] = accounts.cost[e] = 0.0
        _observe(t, rules.initial_cash, shares, columns, e, show, observations)


@compiled
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


@compiled
def _copy_row(rows: npt.NDArray[Any], row: int, target: npt.NDArray[Any]) -> None:
    for k in range(len(target)):
        target[k] = rows[row, k]


@compiled
def _wealth(t: int, cash: float, shares: FloatArray, columns: IntArray, e: int, close: FloatArray) -> float:
    """Cash and holdings at close t, added in FinRL's order."""
    worth = 0.0
    if len(shares) == close.shape[1]:
        for k in range(len(shares)):
            worth += close[t, k] * shares[k]
    else:
        for k in range(len(shares)):
            worth += close[t, columns[e, k]] * shares[k]
    return cash + worth


@inlined
def _view(market: Market, rules: Rules) -> tuple[Any, ...]:
    """All that `_observe` needs to know, the same for all accounts."""
    cash_and_limit = (rules.cash_mean, rules.cash_scale, rules.limit)
    return cash_and_limit, rules.shares_mean, rules.shares_scale, market.seen_close, market.seen_features


@inlined
def _observe(
    t: int,
    cash: float,
    shares: FloatArray,
    columns: IntArray,
    e: int,
    view: tuple[Any, ...],
    observations: npt.NDArray[Any],
) -> None:
    """Write cash, close (N), shares (N) and the features (N each) as the agent sees them."""
    (cash_mean, cash_scale, limit), shares_mean, shares_scale, seen_close, seen_features = view
    # places are unsigned, so that none may count from the end: that would keep them from being written side by side
    tickers, market_tickers = np.uint64(len(shares)), np.uint64(seen_close.shape[1])
    first_close = np.uint64(1)
    first_share, first_feature = first_close + tickers, first_close + tickers + tickers
    observations[e, 0] = min(max((cash - cash_mean) / cash_scale, -limit), limit)
    if tickers == market_tickers:
        for k in range(tickers):
            observations[e, first_close + k] = seen_close[t, k]
        for k in range(tickers):
            seen = (shares[k] - shares_mean[k]) / shares_scale[k]
            observations[e, first_share + k] = min(max(seen, -limit), limit)
        for i in range(np.uint64(seen_features.shape[1])):
            observations[e, first_feature + i] = seen_features[t, i]
        return
    features = np.uint64(seen_features.shape[1]) // market_tickers
    for k in range(tickers):
        column = np.uint64(columns[e, k])
        observations[e, first_close + k] = seen_close[t, column]
        seen = (shares[k] - shares_mean[column]) / shares_scale[column]
        observations[e, first_share + k] = min(max(seen, -limit), limit)
        for f in range(features):
            observations[e, first_feature + f * tickers + k] = seen_features[t, f * market_tickers + column]
