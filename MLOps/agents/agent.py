"""What an agent of any library offers, and whom it reports to while it learns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from MLOps.inference.model_folder import Activation, Squash, Weights

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Actor:
    """The part of an agent that acts: a perceptron in the form of the model folder.

    Attributes
    ----------
    hidden_sizes : tuple of int
        Units of each hidden layer.
    activation : str
        After each hidden layer.
    squash : str
        What brings the output into [-1, 1].
    weights : mapping of str to float32 array
        ``layers.<i>.weight`` (outputs, inputs) and ``layers.<i>.bias`` (outputs,).
    """

    hidden_sizes: tuple[int, ...]
    activation: Activation
    squash: Squash
    weights: Weights


class Observer(Protocol):
    """Whom an agent tells how it gets on."""

    def stepped(self, timesteps: int) -> None:
        """`timesteps` sessions have been played so far."""

    def paused(self, timesteps: int) -> None:
        """Between two updates: `Agent.state` is whole now."""

    def reported(self, timesteps: int, figures: Mapping[str, float]) -> None:
        """Losses, rewards and the like."""


class Agent(Protocol):
    """A learner that owns its environment."""

    def learn(self, total_timesteps: int, observer: Observer) -> int:
        """Play and update until `total_timesteps`, rounded up to a whole update; gives the sessions played."""

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that `restore` continues from bit for bit, environment included."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""

    def actor(self) -> Actor:
        """What has been learnt."""

    def act(self, observations: Float32Array) -> Float32Array:
        """The library's own deterministic actions (B, N) for normalised observations (B, D)."""

    def export(self, folder: Path) -> None:
        """Write the library's own file of the agent into `folder`."""
