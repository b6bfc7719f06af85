"""Macro-F1 from confusion matrices, as many at once as one likes."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def confusion_counts(labels: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """(C, C) int64 counts: row the true class, column the predicted one.

    Parameters
    ----------
    labels, predicted : (K,) int64
        Classes, from 0 to `classes` - 1.
    """
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def macro_f1(confusion: npt.NDArray[np.int64] | FloatArray) -> FloatArray:
    """(...) mean over the classes of ``2 TP / (2 TP + FP + FN)`` for counts (..., C, C).

    A class that is neither true nor predicted anywhere counts as 0, as in scikit-learn with
    ``labels=range(C), zero_division=0``.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    claims = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    scores = np.divide(2.0 * hits, claims, out=np.zeros(hits.shape), where=claims > 0)
    return np.asarray(scores.mean(axis=-1))
