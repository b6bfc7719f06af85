"""Columns whose newest values are all the same, which a feed that stands still makes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from MLOps.settings.drift import StandingStillSettings
from monitoring.drift.scores import FloatArray


def standing_still(reference: pd.DataFrame, current: pd.DataFrame, settings: StandingStillSettings) -> dict[str, int]:
    """How many of a column's newest values are one and the same, where that is more than the reference had in a row.

    Parameters
    ----------
    reference, current : DataFrame
        float64, NaN where missing; rows in the order of time. A missing value is the same as no other.

    Returns
    -------
    dict of str to int
        By column, those alone that stand still.
    """
    found = {}
    for name in reference.columns.intersection(current.columns, sort=False):
        run = _runs(current[name].to_numpy(dtype=np.float64))[-1:]
        usual = max(_runs(reference[name].to_numpy(dtype=np.float64)), default=0)
        if run and run[0] >= max(settings.least_rows, settings.factor * usual):
            found[str(name)] = run[0]
    return found


def _runs(values: FloatArray) -> Sequence[int]:
    """Lengths of the stretches of equal values, in their order; each missing value is one by itself."""
    if not len(values):
        return []
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    lengths: list[int] = np.diff(np.append(begins, len(values))).tolist()
    return lengths
