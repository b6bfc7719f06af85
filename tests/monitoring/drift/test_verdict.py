"""When a column drifts, and when that makes the subject drift."""

import numpy as np
import pandas as pd
import pytest

from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings, DriftThresholdSettings
from monitoring.drift.report import figures_of
from monitoring.drift.sample import Sample
from monitoring.drift.verdict import Status, judge

COLUMNS = [f"column_{number}" for number in range(10)]


@pytest.fixture(scope="module")
def thresholds() -> DriftThresholdSettings:
    composed = compose_settings(DriftSettings, "check_data_drift").thresholds
    return composed.model_copy(update={"severe_factor": 1_000.0})


def sample(shifted: int, columns: list[str] = COLUMNS) -> Sample:
    """The same 60 rows again and again; in the fifth turn the first `shifted` columns moved by two deviations."""
    values = np.tile(np.random.default_rng(6).normal(size=(60, len(columns))), (5, 1))
    values[240:, :shifted] += 2
    frame = pd.DataFrame(values, columns=columns, index=pd.bdate_range("2020-01-01", periods=300))
    return Sample(frame.iloc[:240], frame.iloc[240:])


@pytest.mark.parametrize(("shifted", "status"), [(0, Status.NO_DRIFT), (1, Status.NO_DRIFT), (2, Status.DRIFT)])
def test_a_fifth_of_the_columns_makes_the_subject_drift(
    thresholds: DriftThresholdSettings, shifted: int, status: Status
) -> None:
    found = judge("features", sample(shifted), thresholds)
    assert found.status is status
    assert found.drifted_fraction == shifted / 10
    assert found.drifted_columns == f"{shifted} of 10 columns drifted, drift is from 2 on"
    assert [column.column for column in found.columns if column.is_drifted] == sorted(
        COLUMNS[:shifted], key=[column.column for column in found.columns].index
    )


@pytest.mark.parametrize(("columns", "shifted", "status"), [(4, 1, Status.NO_DRIFT), (4, 2, Status.DRIFT), (1, 1, 1)])
def test_of_few_columns_two_must_drift_and_of_one_that_one(
    thresholds: DriftThresholdSettings, columns: int, shifted: int, status: Status
) -> None:
    found = judge("actions", sample(shifted, COLUMNS[:columns]), thresholds)
    assert (found.status, found.least_drifted) == (status, min(2, columns))


def test_threshold_that_is_no_whole_number_of_columns_is_told_rounded_up(thresholds: DriftThresholdSettings) -> None:
    found = judge("features", sample(3, [f"column_{number}" for number in range(32)]), thresholds)
    assert found.drifted_columns == "3 of 32 columns drifted, drift is from 7 on"
    assert found.status is Status.NO_DRIFT


def test_one_column_far_beyond_its_threshold_is_enough(thresholds: DriftThresholdSettings) -> None:
    severe = thresholds.model_copy(update={"severe_factor": 1.5})
    found = judge("features", sample(1), severe)
    assert found.status is Status.DRIFT
    assert found.reasons == (f"far beyond the threshold (multiple of it): column_0 ({found.columns[0].excess:.1f})",)


@pytest.mark.parametrize(("holes", "status"), [(2, Status.NO_DRIFT), (3, Status.DRIFT)])
def test_missing_values_may_grow_by_less_than_a_twentieth(
    thresholds: DriftThresholdSettings, holes: int, status: Status
) -> None:
    whole = sample(0)
    current = whole.current.copy()
    current.iloc[:holes, 3] = np.nan
    found = judge("features", Sample(whole.reference, current), thresholds)
    assert found.status is status
    assert found.missing_fraction == pytest.approx(holes / 600)


def test_a_reason_names_five_columns_and_counts_the_others(thresholds: DriftThresholdSettings) -> None:
    (reason,) = judge("features", sample(8), thresholds).reasons
    assert reason.startswith("8 of 10 columns drifted, drift is from 2 on: column_")
    assert reason.endswith(" and 3 more")


def test_a_features_figure_is_the_largest_of_its_tickers(thresholds: DriftThresholdSettings) -> None:
    found = judge("features", sample(1, ["rsi_30.AAA", "rsi_30.BBB"]), thresholds)
    scores = {column.column: column.scores["psi"] for column in found.columns}
    assert scores["rsi_30.AAA"] > scores["rsi_30.BBB"]
    assert figures_of(found)["features.score.rsi_30.psi"] == scores["rsi_30.AAA"]
