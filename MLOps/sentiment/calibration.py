"""Calibration: one temperature for the logits, and how far confidence lies from what comes true.

Guo et al. (2017), "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from MLOps.sentiment.scorer import FloatArray

IntArray = npt.NDArray[np.int64]
_BOUNDS = (0.05, 20.0)
_BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Confidence beside accuracy in bins of equal width over [0, 1]; empty bins hold NaN.

    Attributes
    ----------
    confidence : ndarray of shape (bins,)
        Mean probability of the class that was predicted.
    accuracy : ndarray of shape (bins,)
        Share of predictions that came true.
    share : ndarray of shape (bins,)
        Share of all sentences.
    """

    confidence: FloatArray
    accuracy: FloatArray
    share: FloatArray

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of the two, weighted by share (section 2, equation 3)."""
        return float(np.nansum(self.share * np.abs(self.confidence - self.accuracy)))


def fit_temperature(logits: FloatArray, labels: IntArray) -> float:
    """The temperature in [0.05, 20] by which logits (K, C) are divided for the least cross-entropy (section 4.2).

    Accuracy stays as it is: the order of the classes does not change.
    """
    from scipy.optimize import minimize_scalar

    low, high = np.log(_BOUNDS)
    found = minimize_scalar(
        lambda log_temperature: cross_entropy(logits / np.exp(log_temperature), labels),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def cross_entropy(logits: FloatArray, labels: IntArray) -> float:
    """Mean over the rows of -log p(label), in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(labels)), labels].mean())


def reliability(probabilities: FloatArray, labels: IntArray, bins: int = _BINS) -> Reliability:
    """Confidence and accuracy of predictions (K, C) against labels (K,)."""
    confidences = probabilities.max(axis=1)
    hits = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    places = np.minimum((confidences * bins).astype(np.int64), bins - 1)
    counts = np.bincount(places, minlength=bins).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return Reliability(
            confidence=np.bincount(places, confidences, minlength=bins) / counts,
            accuracy=np.bincount(places, hits, minlength=bins) / counts,
            share=counts / len(labels),
        )
