"""Whether the newest sessions lie higher or lower than any stretch of the reference did, all tickers together.

A shift of the mean by half a standard deviation hides in the distribution of one ticker for a quarter: among 21 values
its own noise is .22. Averaged over the tickers and over the sessions it shows sooner. As for the columns, the reference
says what is usual: its own most unusual stretch of the same length, times a margin, is the threshold.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pydantic import Field

from MLOps.settings.drift import DriftThresholdSettings
from MLOps.settings.stage_settings import Settings
from monitoring.drift.scores import FloatArray


class RecentMean(Settings):
    """The mean of one feature in the newest sessions."""

    feature: str = Field(description="Name of the feature; all its tickers are averaged.")
    rows: int = Field(description="Newest sessions that are averaged.")
    shift: float = Field(description="Less the reference's mean, in standard deviations of a session.")
    threshold: float = Field(description="From this distance on, up or down, it drifts.")

    @property
    def is_drifted(self) -> bool:
        return abs(self.shift) >= self.threshold


def recent_means(
    reference: pd.DataFrame, current: pd.DataFrame, settings: DriftThresholdSettings
) -> Iterator[RecentMean]:
    """The means of the features that the settings name, as far as both windows have them and are long enough.

    Parameters
    ----------
    reference, current : DataFrame
        Columns ``<feature>.<ticker>``, float64, NaN where missing; rows in the order of time. Each ticker counts in
        its own standard deviations of the reference; one that never moved there is left out.
    """
    rows = settings.recent_means.rows
    if len(current) < rows or len(reference) < settings.recent_means.minimum_stretches * rows:
        return
    for feature in settings.recent_means.features:
        before, now = (_standardised(frame, reference, feature) for frame in (reference, current.iloc[-rows:]))
        if not (np.isfinite(before).any() and np.isfinite(now).any()):
            continue
        usual = float(np.nanmean(before))
        shift = float(np.nanmean(now)) - usual
        largest = max(abs(mean - usual) for mean in _stretches(before, rows, settings.block_stride_fraction))
        threshold = max(settings.recent_means.margin * largest, settings.recent_means.floor)
        yield RecentMean(feature=feature, rows=rows, shift=shift, threshold=threshold)


def _standardised(frame: pd.DataFrame, reference: pd.DataFrame, feature: str) -> FloatArray:
    """(n,) mean over the tickers of a feature, each in the reference's standard deviations; NaN where none has one."""
    names = [name for name in reference.columns.intersection(frame.columns) if str(name).startswith(f"{feature}.")]
    scale = reference[names].std(ddof=0)
    moving = [name for name in names if scale[name] > 0]
    if not moving:
        return np.full(len(frame), np.nan)
    mean: FloatArray = (frame[moving] / scale[moving]).mean(axis=1).to_numpy(dtype=np.float64)
    return mean


def _stretches(values: FloatArray, rows: int, stride_fraction: float) -> Iterator[float]:
    """The mean of every stretch of `rows` values, the last one included; those without a value are left out."""
    stride, last = max(1, round(rows * stride_fraction)), len(values) - rows
    for start in np.unique(np.append(np.arange(0, last, stride), last)):
        stretch = values[start : start + rows]
        if np.isfinite(stretch).any():
            yield float(np.nanmean(stretch))
