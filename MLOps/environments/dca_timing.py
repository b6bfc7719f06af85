"""The environment of buy-timing: within a cycle, buy now or wait; one purchase, forced at the last decision.

A form of optimal stopping. At each of the cycle's closes an agent holds (0) or buys (1); buying ends the episode.
To hold moves no price, so an episode may begin at any decision of its cycle, as if the agent had held until then.

Observation, float32, (2 + W,): only what is known at the present close.

- position_value: where the present price lies in the range of the window's and the cycle's closes up to now:
  0 the lowest, 1 the highest, 0.5 where no price has moved;
- remaining_time: decisions left after this one, as a share of all but the first: 1 at first, 0 at last;
- price_history: the last W closes, oldest first, as distances to the present one (`history_of` in the kernel);
  the last number is always 0. They may lie before the cycle.

Reward, paid at the purchase alone, so that it is the episode's sum:
``reward_scale * (mean price of the cycle - price * (1 + fee)) / first price of the cycle``.
The mean holds prices after the purchase: a reward may tell of them, an observation never does. The scale is known
from the first decision on: in parts of the mean, waiting would pay even where prices are a fair game, for where they
fall the mean is small and the saving large.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.environments.dca_timing_kernel import (
    ACTIONS,
    CONTEXT,
    Market,
    Outcome,
    Rules,
    begin_episodes,
    empty_episodes,
    history_of,
    means_of,
    observe_cycles,
    step_episodes,
)
from MLOps.environments.trading_batch import Step
from MLOps.errors import DataError, ModelError
from MLOps.market.price_cycles import Cycles
from MLOps.settings.timing import DcaTimingSettings

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
_BPS = 1e-4


class DcaTimingBatch:
    """E episodes over the cycles of one window of time, each drawn at random; a `DiscreteBatch`.

    Parameters
    ----------
    cycles : Cycles
        At least one. Its closes are not changed.
    settings : DcaTimingSettings
        Fee, scale of the reward, and whether episodes begin at random decisions of their cycles.
    n_envs : int
        E.
    seed : int
        Of the draws of cycles and of first decisions.
    """

    actions = ACTIONS

    def __init__(self, cycles: Cycles, settings: DcaTimingSettings, n_envs: int, seed: int) -> None:
        self.n_envs, self.observation_size = n_envs, CONTEXT + cycles.window
        self._market = _market_of(cycles)
        self._rules = Rules(cycles.steps, 1 + settings.fee_bps * _BPS, settings.reward_scale)
        self._first_decisions = cycles.steps if settings.random_first_step else 1
        self._episodes = empty_episodes(n_envs)
        self._world = tuple(self._market), tuple(self._rules), tuple(self._episodes)  # as the kernel takes them
        self._has_begun = False
        self.seed(seed)

    @property
    def history_limit(self) -> float:
        """Bound of the numbers of the price history; the first two lie in [0, 1]."""
        return float(np.sqrt(self.observation_size - CONTEXT - 1))

    @property
    def starts(self) -> IntArray:
        """(E,) row of the closes at which the cycle of each present episode begins."""
        return self._market.starts[self._episodes.cycle]

    @property
    def steps_passed(self) -> IntArray:
        """(E,) decisions of each present cycle before the one to take; a view, not to be written."""
        return self._episodes.step

    def seed(self, seed: int) -> None:
        """Seed the draws; the episodes that are under way go on."""
        self._generator = np.random.default_rng(seed)

    def reset(self) -> Float32Array:
        """Begin an episode in each place; observations (E, D)."""
        observations = np.empty((self.n_envs, self.observation_size), np.float32)
        episodes = self._episodes
        episodes.cycle[:], episodes.first[:] = self._drawn(self.n_envs)
        episodes.upcoming[:], episodes.upcoming_first[:] = self._drawn(self.n_envs)
        begin_episodes(*self._world, observations)
        self._has_begun = True
        return observations

    def step(self, actions: npt.ArrayLike) -> Step:
        """Hold or buy at each episode's close; one that has bought begins anew in the same step.

        The last observation of an episode is that at which it bought: no time passes with the purchase.

        Parameters
        ----------
        actions : (E,)
            0 holds, 1 buys.

        Raises
        ------
        ModelError
            If the actions are not of that shape or an action is neither; then no episode has stepped.
        """
        assert self._has_begun, "step before reset"
        given = self._checked(actions)
        outcome = self._empty_outcome()
        ended, malformed = step_episodes(*self._world, given, tuple(outcome))
        if malformed >= 0:
            raise ModelError(f"action {given[malformed]}", "0 (hold) or 1 (buy)", "the policy that gave it")
        which = outcome.ended[:ended]
        if ended:
            self._episodes.upcoming[which], self._episodes.upcoming_first[which] = self._drawn(ended)
        return Step(
            outcome.observations,
            outcome.rewards,
            outcome.is_last,
            np.zeros(self.n_envs, np.bool_),
            which,
            outcome.last_observations[:ended],
            outcome.episode_rewards[:ended],
            outcome.episode_steps[:ended],
        )

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""
        episodes = {name: values.tolist() for name, values in self._episodes._asdict().items()}
        return {"episodes": episodes, "generator": self._generator.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for name, values in self._episodes._asdict().items():
            values[...] = state["episodes"][name]
        self._generator.bit_generator.state = state["generator"]
        self._has_begun = True

    def _drawn(self, count: int) -> tuple[IntArray, IntArray]:
        """Cycles and the decisions at which episodes begin in them."""
        cycles = self._generator.integers(len(self._market.starts), size=count)
        return cycles, self._generator.integers(self._first_decisions, size=count)  # of one: nothing is drawn

    def _checked(self, actions: npt.ArrayLike) -> IntArray:
        given = np.asarray(actions)
        if given.shape != (self.n_envs,) or given.dtype.kind not in "iub":
            raise ModelError(
                f"actions of shape {given.shape} and type {given.dtype}",
                f"({self.n_envs},) whole numbers",
                "the policy that gave them",
            )
        return np.ascontiguousarray(given, dtype=np.int64)

    def _empty_outcome(self) -> Outcome:
        n_envs, size = self.n_envs, self.observation_size
        return Outcome(
            observations=np.empty((n_envs, size), np.float32),
            rewards=np.empty(n_envs),
            is_last=np.empty(n_envs, np.bool_),
            ended=np.empty(n_envs, np.int64),
            last_observations=np.empty((n_envs, size), np.float32),
            episode_rewards=np.empty(n_envs),
            episode_steps=np.empty(n_envs, np.int64),
        )


def observations_of(cycles: Cycles) -> Float32Array:
    """All that is seen in each cycle if it is held to the end, (C, steps, 2 + W), by the environment's kernel."""
    observations = np.empty((len(cycles.starts), cycles.steps, CONTEXT + cycles.window), np.float32)
    observe_cycles(tuple(_market_of(cycles)), cycles.steps, observations)
    return observations


def observation_now(closes: FloatArray, taken: int, steps: int, window: int) -> Float32Array:
    """What is seen at the last of `closes`, (2 + W,), bit for bit as in training.

    Parameters
    ----------
    closes : (N,) float64
        Up to now, N at least ``taken + window``: the cycle's and the ``window - 1`` before it.
    taken : int
        Decisions of the cycle before this one, less than `steps`.
    steps, window : int
        Of the cycles that the model was trained on.

    Raises
    ------
    DataError
        If there are too few closes, or one is not positive.
    """
    assert 0 <= taken < steps, (taken, steps)
    if len(closes) < taken + window or not (np.isfinite(closes) & (closes > 0)).all():
        raise DataError(
            f"{len(closes)} closes",
            f"at least {taken + window}, all positive",
            "the bars, or the model of another window",
        )
    seen = closes[-(taken + window) :]
    padded = np.append(seen, np.full(steps - 1 - taken, seen[-1]))  # the kernel reads none of what comes later
    cycle = Cycles(padded, np.array([window - 1]), steps, window, np.zeros(len(padded), "datetime64[us]"))
    now: Float32Array = observations_of(cycle)[0, taken]
    return now


def rewards_of(cycles: Cycles, settings: DcaTimingSettings) -> FloatArray:
    """Reward of buying at each decision of each cycle, (C, steps)."""
    rows = cycles.starts[:, None] + np.arange(cycles.steps)
    market, rules = _market_of(cycles), Rules(cycles.steps, 1 + settings.fee_bps * _BPS, settings.reward_scale)
    saved = market.mean[:, None] - cycles.closes[rows] * rules.price_factor
    rewards: FloatArray = rules.reward_scale * saved / cycles.closes[rows[:, :1]]
    return rewards


def _market_of(cycles: Cycles) -> Market:
    bars, starts = len(cycles.closes), cycles.starts
    is_inside = (starts >= cycles.window - 1) & (starts <= bars - cycles.steps)  # the kernel does not look
    assert len(starts), "no cycle"
    assert is_inside.all(), "a cycle that leaves the bars"
    market = Market(
        close=np.ascontiguousarray(cycles.closes, np.float64),
        history=np.zeros((bars, cycles.window), np.float32),
        low=np.zeros(bars),
        high=np.zeros(bars),
        starts=np.ascontiguousarray(cycles.starts, np.int64),
        mean=np.zeros(len(cycles.starts)),
    )
    history_of(market.close, cycles.window, market.history, market.low, market.high)
    means_of(market.close, market.starts, cycles.steps, market.mean)
    return market
