"""Classes from a score: below one threshold negative, above another positive."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from MLOps.evaluation.macro_f1 import macro_f1
from MLOps.sentiment.scorer import LABELS, NEGATIVE, NEUTRAL, POSITIVE, FloatArray

_GRID = np.arange(1, 20) / 20  # 0.05 to 0.95


@dataclass(frozen=True)
class Thresholds:
    """At or below `negative` a score means negative, at or above `positive` positive."""

    negative: float
    positive: float

    def classes(self, scores: FloatArray) -> npt.NDArray[np.int64]:
        """(K,) classes of scores (K,)."""
        below, above = scores <= self.negative, scores >= self.positive
        return np.where(below, NEGATIVE, np.where(above, POSITIVE, NEUTRAL)).astype(np.int64)


def fit_thresholds(scores: FloatArray, labels: npt.NDArray[np.int64]) -> Thresholds:
    """The pair of a grid with the best macro-F1 on labelled sentences; of equals the nearest to 0.

    A lexicon that is a baseline gets its thresholds from the sentences that the model was trained and
    tuned on: a rival that may not know where the raters draw their lines is too easily beaten. On the
    New York Times sentences, as the mean of four splits by article, VADER reaches macro-F1 .50 with the
    likeliest class, .56 with the -0.05 and 0.05 that its authors advise, and .57 with fitted ones.

    Parameters
    ----------
    scores : (K,) float64
        In [-1, 1].
    labels : (K,) int64
    """
    confusion = np.zeros((len(_GRID), len(_GRID), len(LABELS), len(LABELS)))  # [lower, upper, true, predicted]
    for label in range(len(LABELS)):
        own = np.sort(scores[labels == label])
        confusion[:, :, label, NEGATIVE] = np.searchsorted(own, -_GRID, side="right")[:, None]
        confusion[:, :, label, POSITIVE] = (len(own) - np.searchsorted(own, _GRID, side="left"))[None, :]
        confusion[:, :, label, NEUTRAL] = len(own) - confusion[:, :, label].sum(axis=-1)
    lower, upper = np.unravel_index(macro_f1(confusion).argmax(), (len(_GRID), len(_GRID)))
    return Thresholds(float(-_GRID[lower]), float(_GRID[upper]))
