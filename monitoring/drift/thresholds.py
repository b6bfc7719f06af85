"""How much a column may differ before it drifts: measured on its own reference.

Neighbouring sessions resemble each other, so two quarters of a calm market differ far more than the bounds from the
books, which are for independent rows, allow. Each block of the reference, as long as the current window, is scored
against the rest of it; what the most unusual block reached, times a margin, is the column's threshold.
"""

import numpy as np

from MLOps.settings.drift import DriftThresholdSettings
from monitoring.drift.scores import Cuts, FloatArray, scores_of_cuts

_FEWEST_VALUES = 2  # of a block: less tells of no distribution


def column_thresholds(reference: FloatArray, block_rows: int, settings: DriftThresholdSettings) -> FloatArray:
    """Thresholds (3,) of one column, in the order of `METHODS`.

    Parameters
    ----------
    reference : (n,) float64
        In the order of time; NaN where missing, at least one value is not.
    block_rows : int
        Length of the current window.
    """
    floors = np.array([settings.floors.psi, settings.floors.jensenshannon, settings.floors.wasserstein])
    is_present = np.isfinite(reference)
    cuts = blocks_and_rest(len(reference), block_rows, settings.block_stride_fraction)
    block, rest = cuts.current[:, is_present], cuts.reference[:, is_present]
    enough = (block.sum(axis=1) >= _FEWEST_VALUES) & (rest.sum(axis=1) >= _FEWEST_VALUES)
    if not enough.any():
        return floors
    largest = scores_of_cuts(reference[is_present], Cuts(rest[enough], block[enough])).max(axis=0)
    thresholds: FloatArray = np.maximum(floors, settings.margin * largest)
    return thresholds


def blocks_and_rest(rows: int, block_rows: int, stride_fraction: float) -> Cuts:
    """Every block of `block_rows` consecutive rows, the last one included, each against all other rows."""
    stride = max(1, round(block_rows * stride_fraction))
    last = max(rows - block_rows, 0)
    starts = np.unique(np.append(np.arange(0, last, stride), last))
    position = np.arange(rows)
    block = (position >= starts[:, None]) & (position < starts[:, None] + block_rows)
    return Cuts(~block, block)
