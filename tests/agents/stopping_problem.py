"""Buy once at one of T prices that are drawn from [0, 1], each alike and alone: the best policy is known.

At each step a price is seen; 0 waits for the next one, 1 buys. At the last step the purchase is forced. The purchase
pays the saving against the mean price: (1/2 - price) / (1/2) = 1 - 2 price.

Let c_k be the mean price that the best policy pays with k prices to come: c_1 = 1/2, and a price is worth taking
exactly if it is below what waiting costs, so that c_(k+1) = E min(price, c_k) = c_k - c_k^2 / 2.

Source: Chow, Robbins and Siegmund, Great Expectations: The Theory of Optimal Stopping (1971), chapter 3 (backward
induction).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.environments.trading_batch import Step
from MLOps.errors import ModelError

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def limits(steps: int) -> FloatArray:
    """(T,) the price below which the best policy buys at each step; 1 at the last, where it must."""
    cost, below = 1.0, [1.0]
    for _ in range(steps - 1):
        cost -= cost**2 / 2
        below.append(cost)
    return np.array(below[::-1])


def best_value(steps: int) -> float:
    """Mean reward of the best policy."""
    return value_of(limits(steps))


def value_of(limits_t: FloatArray) -> float:
    """Mean reward, exactly, of buying below a limit (T,) at each step; the last purchase is forced."""
    cost = 0.5
    for limit in limits_t[-2::-1]:
        cost = limit**2 / 2 + (1 - limit) * cost
    return float(1 - 2 * cost)


def grid(steps: int, prices: int) -> Float32Array:
    """Observations (T, G, 2) of all steps at G prices, the middles of equal parts of [0, 1]."""
    price = (np.arange(prices) + 0.5) / prices
    return np.stack([observed(np.full(prices, t), price, steps) for t in range(steps)])


def value_on_grid(is_bought: BoolArray) -> float:
    """Mean reward of any policy, given where it buys on `grid` (T, G); exact but for what the grid leaves out."""
    price = (np.arange(is_bought.shape[1]) + 0.5) / is_bought.shape[1]
    cost = 0.5
    for is_bought_t in is_bought[-2::-1]:
        cost = float(np.where(is_bought_t, price, cost).mean())
    return 1 - 2 * cost


def observed(t: IntArray, price: FloatArray, steps: int) -> Float32Array:
    """(E, 2) the price and the remaining time: 1 at the first step, 0 at the last."""
    return np.stack([price, 1 - t / max(steps - 1, 1)], axis=1).astype(np.float32)


class StoppingBatch:
    """E purchases at a time; see `MLOps.environments.discrete_batch.DiscreteBatch`.

    Parameters
    ----------
    n_envs : int
        E.
    steps : int
        T.
    seed : int
        Of the prices.
    """

    observation_size, actions = 2, 2

    def __init__(self, n_envs: int, steps: int, seed: int) -> None:
        self.n_envs, self.steps = n_envs, steps
        self._price, self._t = np.zeros(n_envs), np.zeros(n_envs, np.int64)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Seed the prices."""
        self._generator = np.random.default_rng(seed)

    def reset(self) -> Float32Array:
        """Begin an episode in each place; observations (E, 2)."""
        self._t[:] = 0
        self._price = self._generator.random(self.n_envs)
        return observed(self._t, self._price, self.steps)

    def step(self, actions: IntArray) -> Step:
        """Wait (0) or buy (1); a purchase ends the episode."""
        given = np.asarray(actions)
        if given.shape != (self.n_envs,) or not np.isin(given, (0, 1)).all():
            raise ModelError(f"actions {given.tolist()}", f"({self.n_envs},) of 0 and 1", "the policy that gave them")
        is_last = (given == 1) | (self._t == self.steps - 1)
        rewards, ended = np.where(is_last, 1 - 2 * self._price, 0.0), np.flatnonzero(is_last)
        last, lengths = observed(self._t, self._price, self.steps)[ended], self._t[ended] + 1
        self._t = np.where(is_last, 0, self._t + 1)
        self._price = self._generator.random(self.n_envs)
        observations = observed(self._t, self._price, self.steps)
        return Step(
            observations, rewards, is_last, np.zeros(self.n_envs, np.bool_), ended, last, rewards[ended], lengths
        )

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""
        generator = self._generator.bit_generator.state
        return {"price": self._price.tolist(), "t": self._t.tolist(), "generator": generator}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self._price[...], self._t[...] = state["price"], state["t"]
        self._generator.bit_generator.state = state["generator"]
