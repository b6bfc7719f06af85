"""Buy-timing policies: what a model folder becomes in memory. NumPy only; the reference of the ONNX graph."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from MLOps.errors import ModelError
from MLOps.inference.model_files import check_digest
from MLOps.inference.timing_model import (
    ACTIONS,
    BuyFirstCard,
    Float32Array,
    RainbowTimingCard,
    Weights,
    read_timing_card,
    read_timing_weights,
)


def load_timing_policy(folder: Path, expected_digest: str | None = None) -> "TimingPolicy | BuyFirstPolicy":
    """The policy of a model folder.

    Parameters
    ----------
    folder : Path
        Holds ``model.json`` and, for a trained model, ``policy.safetensors``.
    expected_digest : str, optional
        Checked before anything in the folder is parsed.

    Raises
    ------
    DigestError
        If the folder is not what the digest promises.
    ModelError
        If the card or the weights are missing or malformed.
    """
    if expected_digest is not None:
        check_digest(folder, expected_digest)
    card = read_timing_card(folder)
    if isinstance(card, BuyFirstCard):
        return BuyFirstPolicy()
    return TimingPolicy(card, read_timing_weights(folder, card))


class BuyFirstPolicy:
    """Buys at the first step, whatever it sees; its values are 0 and 1, and forecast nothing."""

    kind = "buy_first"

    def q_values(self, observations: Float32Array) -> Float32Array:
        """(B, 2) float32 for observations (B, D) of any width: 0 for holding, 1 for buying."""
        return np.tile(np.array([0.0, 1.0], dtype=np.float32), (len(observations), 1))

    def actions(self, observations: Float32Array) -> npt.NDArray[np.int64]:
        """(B,) int64: 1 in each row."""
        return np.ones(len(observations), dtype=np.int64)


class TimingPolicy:
    """The greedy policy of a Rainbow network without its noise, in float32.

    Source: Hessel et al. 2018, "Rainbow: Combining Improvements in Deep Reinforcement Learning", section 3.

    Parameters
    ----------
    card : RainbowTimingCard
        Architecture and observation.
    weights : mapping of str to array
        As `read_timing_weights` gives them.
    """

    kind = "rainbow_timing"

    def __init__(self, card: RainbowTimingCard, weights: Weights) -> None:
        self.card = card
        self._weights = weights
        network = card.architecture
        self._support = np.linspace(network.v_min, network.v_max, network.atoms, dtype=np.float32)

    def q_values(self, observations: Float32Array) -> Float32Array:
        """Value of holding and of buying, (B, 2) float32, for observations (B, window_size + 2).

        Raises
        ------
        ModelError
            If the observations are of another width.
        """
        self._check(observations)
        values = np.asarray(observations, dtype=np.float32)
        for position in range(len(self.card.architecture.hidden_sizes)):
            values = _relu(self._linear(f"trunk.{position}", values))
        logits = self._logits(values)
        if not self.card.architecture.is_categorical:
            return logits[..., 0]
        raised = np.exp(logits - logits.max(axis=-1, keepdims=True))  # the largest is 1: none overflows
        q: Float32Array = (raised / raised.sum(axis=-1, keepdims=True)) @ self._support
        return q

    def actions(self, observations: Float32Array) -> npt.NDArray[np.int64]:
        """(B,) int64: 1 where buying is worth more than holding."""
        return np.asarray(self.q_values(observations).argmax(axis=1), dtype=np.int64)

    def _logits(self, values: Float32Array) -> Float32Array:
        """(B, actions, atoms) of what the trunk gives."""
        advantage = self._stream("advantage", values).reshape(len(values), ACTIONS, -1)
        if not self.card.architecture.is_dueling:
            return advantage
        centred = advantage - advantage.mean(axis=1, keepdims=True)
        return np.asarray(self._stream("value", values)[:, None, :] + centred)

    def _stream(self, name: str, values: Float32Array) -> Float32Array:
        return self._linear(f"{name}.out", _relu(self._linear(f"{name}.hidden", values)))

    def _linear(self, name: str, values: Float32Array) -> Float32Array:
        layer: Float32Array = values @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return layer

    def _check(self, observations: Float32Array) -> None:
        width = self.card.observation.size
        if np.ndim(observations) != 2 or np.shape(observations)[1] != width:
            raise ModelError(
                f"observations of shape {np.shape(observations)}",
                f"(rows, {width}): the model's window is {self.card.observation.window_size}",
                "data.window_size, or a model of that window",
            )


def _relu(values: Float32Array) -> Float32Array:
    return np.maximum(values, np.float32(0.0))
