"""Classes of sentences: from scores by thresholds, from the names that a file gives them."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.sentiment.scorer import NEGATIVE, NEUTRAL, POSITIVE
from MLOps.settings.sentiment_dataset import ClassNames, ScoreScale

ClassArray = npt.NDArray[np.int8]
UNKNOWN = -1
"""In place of a class that cannot be told."""


def classes_of_scores(scores: npt.NDArray[np.float64], scale: ScoreScale) -> ClassArray:
    """(K,) classes; a score on an edge is neutral, one that is not a number on the scale is `UNKNOWN`."""
    classes = np.full(len(scores), UNKNOWN, dtype=np.int8)
    classes[is_on_scale(scores, scale)] = NEUTRAL
    classes[(classes == NEUTRAL) & (scores < scale.negative_below)] = NEGATIVE
    classes[(classes == NEUTRAL) & (scores > scale.positive_above)] = POSITIVE
    return classes


def is_on_scale(scores: npt.NDArray[np.float64], scale: ScoreScale) -> npt.NDArray[np.bool_]:
    """(K,) whether each score lies within the bounds; a missing one does not."""
    return np.asarray((scores >= scale.min_score) & (scores <= scale.max_score))


def classes_of_names(names: "pd.Series[str]", known: ClassNames) -> ClassArray:
    """(K,) classes of names in any case; ``1``, ``1.0`` and ``+1`` are one name, an unknown one is `UNKNOWN`."""
    positions = {
        _plain(name): position
        for position, members in ((NEGATIVE, known.negative), (NEUTRAL, known.neutral), (POSITIVE, known.positive))
        for name in members
    }
    return np.array([positions.get(_plain(name), UNKNOWN) for name in names], dtype=np.int8)


def _plain(name: str) -> str:
    try:
        number = float(name)
    except ValueError:
        return name.strip().casefold()
    return str(int(number)) if number.is_integer() else str(number)
