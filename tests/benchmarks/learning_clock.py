"""Where the time of a training by Stable-Baselines3 goes."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm


@dataclass(frozen=True)
class Spent:
    """Seconds of a training, all of them in one of three places.

    Attributes
    ----------
    samples : int
        Steps of single environments that were learnt from.
    environment : float
        In the environment's ``step``.
    acting : float
        The rest of the rollouts: the policy's forward pass, the rollout buffer, callbacks.
    learning : float
        In the gradient steps.
    """

    samples: int
    environment: float
    acting: float
    learning: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.environment + self.acting + self.learning

    @property
    def samples_per_second(self) -> float:
        """From the first step to the last update."""
        return self.samples / self.seconds


def learn(model: "OnPolicyAlgorithm", samples: int) -> Spent:
    """Train on about `samples` samples more, rounded up to whole rollouts, with a clock at each place."""
    assert model.env is not None
    environment, learning = _Stopwatch(model.env.step), _Stopwatch(model.train)
    model.env.step, model.train = environment, learning  # type: ignore[method-assign]
    before, start = model.num_timesteps, perf_counter()
    try:
        model.learn(samples, reset_num_timesteps=False)
        seconds = perf_counter() - start
    finally:
        del model.env.step, model.train  # the methods of their classes come to light again
    rest = seconds - environment.seconds - learning.seconds
    return Spent(model.num_timesteps - before, environment.seconds, rest, learning.seconds)


class _Stopwatch:
    """A callable that knows how long its calls took."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function, self.seconds = function, 0.0

    def __call__(self, *arguments: Any) -> Any:
        start = perf_counter()
        try:
            return self._function(*arguments)
        finally:
            self.seconds += perf_counter() - start
