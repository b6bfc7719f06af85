"""What a training has learnt after how much time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import learning_clock
from learning_clock import Spent

if TYPE_CHECKING:
    from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm


@dataclass(frozen=True)
class Curve:
    """Rewards on the validation window along a training.

    Attributes
    ----------
    spent : tuple of Spent
        For each rollout and its update.
    rewards : tuple of float
        After each update.
    """

    spent: tuple[Spent, ...]
    rewards: tuple[float, ...]

    @property
    def final(self) -> float:
        """The reward of what was learnt in the end."""
        return self.rewards[-1]

    @property
    def seconds(self) -> float:
        """Of the whole training, without the judging."""
        return sum(part.seconds for part in self.spent)

    @property
    def samples_per_second(self) -> float:
        """Of the whole training."""
        return sum(part.samples for part in self.spent) / self.seconds

    def seconds_to(self, reward: float) -> float | None:
        """Training time until `reward` was reached first; None if it never was."""
        elapsed = 0.0
        for part, reached in zip(self.spent, self.rewards, strict=True):
            elapsed += part.seconds
            if reached >= reward:
                return elapsed
        return None


def follow(model: "OnPolicyAlgorithm", samples: int, judge: Callable[[], float]) -> Curve:
    """Train on `samples` samples, rounded up to whole rollouts; judge after each, off the clock."""
    spent, rewards = [], []
    while model.num_timesteps < samples:
        spent.append(learning_clock.learn(model, 1))
        rewards.append(judge())
    return Curve(tuple(spent), tuple(rewards))
