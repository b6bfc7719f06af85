"""The mean of the newest sessions over all tickers, against the stretches of the reference."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings, DriftThresholdSettings
from monitoring.drift.recent_means import RecentMean, recent_means
from monitoring.drift.sample import Sample
from monitoring.drift.verdict import Status, judge


@pytest.fixture(scope="module")
def thresholds() -> DriftThresholdSettings:
    """Two newest rows, blocks that step by one, no margin to speak of."""
    overrides = (
        "recent_means={features:[close],rows:2,margin:1.5,floor:0.1,minimum_stretches:3}",
        "block_stride_fraction=0.5",
    )
    return compose_settings(
        DriftSettings, "check_data_drift", [f"thresholds.{override}" for override in overrides]
    ).thresholds


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({name.replace("_", "."): values for name, values in columns.items()}, dtype=float)


def test_shift_and_threshold_by_hand(thresholds: DriftThresholdSettings) -> None:
    # A has the standard deviation 1, B has 2: in these units both are -1 1 1 -1 -1 1, whose mean is 0.
    pattern = np.array([-1.0, 1, 1, -1, -1, 1])
    reference = frame(close_A=pattern, close_B=2 * pattern, other_A=100 * pattern)
    current = frame(close_A=[9, 3, 1], close_B=[9, 2, 4], other_A=[0, 0, 0])
    # newest two rows: A 3 and 1, B 1 and 2: mean 1.75. Stretches of two: 0 1 0 -1 0: largest 1, times 1.5.
    assert list(recent_means(reference, current, thresholds)) == [
        RecentMean(feature="close", rows=2, shift=1.75, threshold=1.5)
    ]
    found = judge("features", Sample(reference, current), thresholds)
    assert found.status is Status.DRIFT
    assert found.reasons[-1] == (
        "close of all tickers lies +1.75 standard deviations off in the newest 2 rows (usual: up to 1.50)"
    )


def test_missing_values_and_tickers_that_never_moved_are_left_out(thresholds: DriftThresholdSettings) -> None:
    pattern = np.array([-1.0, 1, 1, -1, -1, 1])
    reference = frame(close_A=pattern, close_B=[5.0] * 6, close_C=[np.nan] * 6, close_D=pattern)
    current = frame(close_A=[0.5, np.nan], close_B=[7, 7], close_C=[1, 1], close_E=[9, 9])
    (mean,) = recent_means(reference, current, thresholds)
    assert (mean.shift, mean.is_drifted) == (0.5, False)


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        (frame(close_A=[1, 2, 3, 4, 5]), frame(close_A=[1, 2])),  # two and a half stretches
        (frame(close_A=[1, 2, 3, 4, 5, 6]), frame(close_A=[1])),
        (frame(close_A=[1, 1, 1, 1, 1, 1]), frame(close_A=[2, 2])),
        (frame(close_A=[1, 2, 3, 4, 5, 6]), frame(close_A=[np.nan, np.nan])),
        (frame(score_A=[1, 2, 3, 4, 5, 6]), frame(score_A=[9, 9])),
    ],
)
def test_nothing_is_said_where_nothing_tells_what_is_usual(
    reference: pd.DataFrame, current: pd.DataFrame, thresholds: DriftThresholdSettings
) -> None:
    assert list(recent_means(reference, current, thresholds)) == []


def test_a_steady_reference_has_the_least_threshold(thresholds: DriftThresholdSettings) -> None:
    reference = frame(close_A=[-1, 1, -1, 1, -1, 1])
    (mean,) = recent_means(reference, frame(close_A=[0.05, 0.05]), thresholds)
    assert (mean.threshold, mean.is_drifted) == (0.1, False)
