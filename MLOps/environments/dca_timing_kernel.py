"""The compiled step of the buy-timing environment: E episodes over one series of prices, no allocation, no Python."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

HOLD, BUY = 0, 1
ACTIONS = 2
CONTEXT = 2  # numbers in front of the price history: position_value and remaining_time


class Market(NamedTuple):
    """Prices and cycles, shared by all episodes and never written.

    Attributes
    ----------
    close : (T,) float64
    history : (T, W) float32
        What is seen of the last W closes at each bar (`history_of`).
    low, high : (T,) float64
        Range of the last W closes at each bar.
    starts : (C,) int64
    mean : (C,) float64
        Mean price of each cycle; it holds later prices, so it pays rewards and is never seen.
    """

    close: FloatArray
    history: Float32Array
    low: FloatArray
    high: FloatArray
    starts: IntArray
    mean: FloatArray


class Rules(NamedTuple):
    """What all episodes have in common.

    Attributes
    ----------
    steps : int
        Decisions of a cycle.
    price_factor : float
        1 and the fee, as a fraction.
    reward_scale : float
    """

    steps: int
    price_factor: float
    reward_scale: float


class Episodes(NamedTuple):
    """E episodes; changed in place.

    Attributes
    ----------
    cycle, upcoming : (E,) int64
        Places in `Market.starts` of the present cycle and of the one after it.
    first, upcoming_first : (E,) int64
        Decisions of the cycle before the episode's first one, of the present episode and of the one after it.
    step : (E,) int64
        Decisions of the cycle before the present one.
    low, high : (E,) float64
        Range of the cycle's closes up to now.
    """

    cycle: IntArray
    upcoming: IntArray
    first: IntArray
    upcoming_first: IntArray
    step: IntArray
    low: FloatArray
    high: FloatArray


def empty_episodes(n_envs: int) -> Episodes:
    """E episodes that have not begun."""
    cycle, upcoming, first, upcoming_first, step = np.zeros((5, n_envs), np.int64)
    return Episodes(cycle, upcoming, first, upcoming_first, step, np.zeros(n_envs), np.zeros(n_envs))


class Outcome(NamedTuple):
    """What `step_episodes` writes.

    Attributes
    ----------
    observations : (E, 2 + W) float32
    rewards : (E,) float64
    is_last : (E,) bool
    ended : (E,) int64
        Its first K are the episodes that have ended, ascending.
    last_observations : (E, 2 + W) float32
        Its first K are what these saw when they bought.
    episode_rewards : (E,) float64
        Its first K are their rewards.
    episode_steps : (E,) int64
        Its first K are the decisions that they took.
    """

    observations: Float32Array
    rewards: FloatArray
    is_last: BoolArray
    ended: IntArray
    last_observations: Float32Array
    episode_rewards: FloatArray
    episode_steps: IntArray


@compiled
def history_of(close: FloatArray, window: int, history: Float32Array, low: FloatArray, high: FloatArray) -> None:
    """Write what is seen of the last `window` closes at each bar from ``window - 1`` on, and their range.

    With r the W - 1 log returns of the window, entry i is ``log(close_i / close_now) / sqrt(sum(r**2))``: the
    distance to the present price, in the size that W - 1 independent returns of this magnitude would add up to.
    By Cauchy and Schwarz it lies within sqrt(W - 1) of 0. Where no price has moved it is 0.

    Parameters
    ----------
    close : (T,) float64
    window : int
        W.
    history : (T, W) float32
        Written, oldest first.
    low, high : (T,) float64
        Written.
    """
    limit = np.sqrt(window - 1.0)
    logs = np.empty(window)
    for t in range(window - 1, len(close)):
        first = t - window + 1
        squares, least, most = 0.0, close[t], close[t]
        for i in range(window):
            logs[i] = np.log(close[first + i])
            least, most = min(least, close[first + i]), max(most, close[first + i])
        for i in range(1, window):
            squares += (logs[i] - logs[i - 1]) ** 2
        low[t], high[t] = least, most
        for i in range(window):
            distance = (logs[i] - logs[window - 1]) / np.sqrt(squares) if squares > 0.0 else 0.0
            history[t, i] = min(max(distance, -limit), limit)


@compiled
def means_of(close: FloatArray, starts: IntArray, steps: int, mean: FloatArray) -> None:
    """Write the mean of the `steps` closes from each start on, (C,)."""
    for c in range(len(starts)):
        total = 0.0
        for i in range(starts[c], starts[c] + steps):
            total += close[i]
        mean[c] = total / steps


@compiled
def step_episodes(
    plain_market: tuple[Any, ...],
    plain_rules: tuple[Any, ...],
    plain_episodes: tuple[Any, ...],
    actions: IntArray,
    plain_outcome: tuple[Any, ...],
) -> tuple[int, int]:
    """Take the actions; an episode that buys, or must, ends and begins in its upcoming cycle.

    Parameters
    ----------
    plain_market, plain_rules, plain_episodes, plain_outcome : tuple
        `Market`, `Rules`, `Episodes` and `Outcome` as plain tuples, which Numba takes in faster.
    actions : (E,) int64
        `HOLD` or `BUY`.

    Returns
    -------
    ended : int
        Number of episodes that ended.
    malformed : int
        First episode whose action is neither, in which case none has stepped; -1 if there is none.
    """
    for e in range(len(actions)):
        if actions[e] != HOLD and actions[e] != BUY:
            return 0, e
    market, rules, episodes = Market(*plain_market), Rules(*plain_rules), Episodes(*plain_episodes)
    outcome = Outcome(*plain_outcome)
    close, starts, mean = market.close, market.starts, market.mean
    cycle, first, step = episodes.cycle, episodes.first, episodes.step
    observations, last_observations = outcome.observations, outcome.last_observations
    width = observations.shape[1]
    ended = 0
    for e in range(len(actions)):
        k = step[e]
        is_last = actions[e] == BUY or k == rules.steps - 1
        outcome.is_last[e], outcome.rewards[e] = is_last, 0.0
        if is_last:
            unit, paid = close[starts[cycle[e]]], close[starts[cycle[e]] + k] * rules.price_factor
            reward = rules.reward_scale * (mean[cycle[e]] - paid) / unit
            _observe(market, rules, episodes, e, observations)
            for i in range(width):
                last_observations[ended, i] = observations[e, i]
            outcome.rewards[e] = outcome.episode_rewards[ended] = reward
            outcome.ended[ended], outcome.episode_steps[ended] = e, k + 1 - first[e]
            ended += 1
            cycle[e], first[e] = episodes.upcoming[e], episodes.upcoming_first[e]
            _begin(market, episodes, e)
        else:
            step[e] = k + 1
            _look(market, episodes, e)
        _observe(market, rules, episodes, e, observations)
    return ended, -1


@compiled
def begin_episodes(
    plain_market: tuple[Any, ...],
    plain_rules: tuple[Any, ...],
    plain_episodes: tuple[Any, ...],
    observations: Float32Array,
) -> None:
    """Put every episode at the decision `first` of its `cycle`, and write its observation."""
    market, rules, episodes = Market(*plain_market), Rules(*plain_rules), Episodes(*plain_episodes)
    for e in range(len(episodes.step)):
        _begin(market, episodes, e)
        _observe(market, rules, episodes, e, observations)


@compiled
def observe_cycles(plain_market: tuple[Any, ...], steps: int, observations: npt.NDArray[np.float32]) -> None:
    """Write all that is seen in each cycle if it is held to the end, (C, steps, 2 + W)."""
    market, rules = Market(*plain_market), Rules(steps, 1.0, 1.0)
    none = np.zeros(1, np.int64)
    episodes = Episodes(np.zeros(1, np.int64), none, none, none, np.zeros(1, np.int64), np.zeros(1), np.zeros(1))
    for c in range(len(market.starts)):
        episodes.cycle[0] = c
        for k in range(steps):
            episodes.step[0] = k
            _look(market, episodes, 0)
            _observe(market, rules, episodes, 0, observations[c, k : k + 1])


@compiled
def _begin(market: Market, episodes: Episodes, e: int) -> None:
    """Put episode `e` at the decision `first` of its cycle, as if it had held until then."""
    close, start, first = market.close, market.starts[episodes.cycle[e]], episodes.first[e]
    low = high = close[start]
    for t in range(start + 1, start + first + 1):
        low, high = min(low, close[t]), max(high, close[t])
    episodes.step[e], episodes.low[e], episodes.high[e] = first, low, high


@compiled
def _look(market: Market, episodes: Episodes, e: int) -> None:
    """Take the present close into the range of the cycle's closes."""
    k = episodes.step[e]
    now = market.close[market.starts[episodes.cycle[e]] + k]
    episodes.low[e] = now if k == 0 else min(episodes.low[e], now)
    episodes.high[e] = now if k == 0 else max(episodes.high[e], now)


@compiled
def _observe(market: Market, rules: Rules, episodes: Episodes, e: int, observations: Float32Array) -> None:
    """Write position_value, remaining_time and the price history of episode `e` into its row."""
    k = episodes.step[e]
    t = market.starts[episodes.cycle[e]] + k
    low, high = min(episodes.low[e], market.low[t]), max(episodes.high[e], market.high[t])
    observations[e, 0] = (market.close[t] - low) / (high - low) if high > low else 0.5
    observations[e, 1] = (rules.steps - 1 - k) / (rules.steps - 1)
    for i in range(market.history.shape[1]):
        observations[e, CONTEXT + i] = market.history[t, i]
