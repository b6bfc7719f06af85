"""A feed that stands still shows by a run of equal values that the reference never had."""

import numpy as np
import pandas as pd
import pytest

from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings, StandingStillSettings
from monitoring.drift.sample import Sample
from monitoring.drift.standing_still import standing_still
from monitoring.drift.verdict import Status, judge

SETTINGS = StandingStillSettings(least_rows=3, factor=2.0)


def columns(**values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(values, dtype=float)


@pytest.mark.parametrize(
    ("before", "now", "still"),
    [
        ([1, 2, 3, 4, 5, 6], [1, 7, 7, 7], 3),
        ([1, 2, 3, 4, 5, 6], [1, 2, 7, 7], None),  # two are fewer than the least
        ([1, 2, 2, 4, 5, 6], [1, 7, 7, 7], None),  # the reference had two in a row: four are wanted
        ([1, 2, 2, 4, 5, 6], [7, 7, 7, 7], 4),
        ([1, 2, 3, 4, 5, 6], [7, 7, 7, 1], None),  # it moves again
        ([5, 5, 5, 5, 5, 5], [5, 5, 5, 5], None),  # it never moved
        ([1, 2, 3, 4, 5, 6], [np.nan, np.nan, np.nan, np.nan], None),  # missing is a fault of its own
        ([1, 2, 3, 4, 5, 6], [], None),
    ],
)
def test_newest_run_against_the_longest_before(before: list[float], now: list[float], still: int | None) -> None:
    found = standing_still(columns(a=before), columns(a=now), SETTINGS)
    assert found == ({} if still is None else {"a": still})


def test_column_that_stands_still_is_drift() -> None:
    thresholds = compose_settings(DriftSettings, "check_data_drift").thresholds
    draw = np.random.default_rng(7).normal
    reference = columns(a=list(draw(size=400)), b=list(draw(size=400)))
    current = columns(a=list(draw(size=60)), b=list(draw(size=60)))
    assert judge("features", Sample(reference, current), thresholds).status is Status.NO_DRIFT
    current.loc[current.index[-10:], "b"] = 0.25
    found = judge("features", Sample(reference, current), thresholds)
    assert found.status is Status.DRIFT
    assert found.reasons == ("stand still (newest rows that are all the same): b (10)",)
