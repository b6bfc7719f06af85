"""Figures of a classifier on labelled sentences."""

import numpy as np

from MLOps.evaluation.macro_f1 import IntArray, confusion_counts, macro_f1
from MLOps.sentiment.calibration import cross_entropy, reliability
from MLOps.sentiment.scorer import LABELS, FloatArray, softmax


def figures_of(logits: FloatArray, labels: IntArray, temperature: float) -> dict[str, float]:
    """Macro-F1, accuracy, F1 of each class; cross-entropy and calibration error before and after the temperature.

    Parameters
    ----------
    logits : ndarray of shape (K, C)
        As the network gives them.
    labels : ndarray of shape (K,)
        The true classes.
    temperature : float
        Fitted on other sentences than those that are judged, or told so.
    """
    counts = confusion_counts(labels, logits.argmax(axis=1), len(LABELS))
    raw, calibrated = logits, logits / temperature
    return {
        "macro_f1": float(macro_f1(counts)),
        "accuracy": float(np.trace(counts) / counts.sum()),
        **{f"f1_{name}": score for name, score in zip(LABELS, class_f1(counts), strict=True)},
        "cross_entropy": cross_entropy(calibrated, labels),
        "cross_entropy_uncalibrated": cross_entropy(raw, labels),
        "calibration_error": reliability(softmax(calibrated), labels).error,
        "calibration_error_uncalibrated": reliability(softmax(raw), labels).error,
    }


def class_f1(counts: IntArray) -> list[float]:
    """F1 of each class for counts (C, C), row the true class; 0 for a class that is nowhere."""
    hits, claims = np.diagonal(counts), counts.sum(axis=0) + counts.sum(axis=1)
    return [float(2 * hit / claim) if claim else 0.0 for hit, claim in zip(hits, claims, strict=True)]
