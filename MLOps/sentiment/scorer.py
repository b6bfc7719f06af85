"""What every scorer of sentences offers, and the three classes."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

LABELS = ("negative", "neutral", "positive")
"""The classes; a label is its position here."""
NEGATIVE, NEUTRAL, POSITIVE = range(3)

FloatArray = npt.NDArray[np.float64]


class SentenceScorer(Protocol):
    """Gives each sentence its probabilities."""

    kind: str
    """What the model is, as its card says it."""

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) float64, in the order of `LABELS`, each row summing to 1; (0, 3) for no sentence.

        The row of a sentence depends on that sentence alone, whatever the others are, to 1e-5.
        """


def score_of(probabilities: FloatArray) -> FloatArray:
    """(K,) score in [-1, 1]: the probability of positive less that of negative."""
    return np.asarray(probabilities[..., POSITIVE] - probabilities[..., NEGATIVE])


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities (K, C) of logits (K, C)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
