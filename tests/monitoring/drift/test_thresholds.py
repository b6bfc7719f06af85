"""A column's thresholds come from the blocks of its own reference."""

import numpy as np
import pytest

from MLOps.settings.drift import DriftFloorSettings, DriftThresholdSettings, RecentMeanSettings, StandingStillSettings
from monitoring.drift.scores import drift_scores
from monitoring.drift.thresholds import blocks_and_rest, column_thresholds

FLOORS = {"psi": 0.25, "jensenshannon": 0.15, "wasserstein": 0.2}


def settings(**changes: float) -> DriftThresholdSettings:
    values = {
        "margin": 1.5,
        "block_stride_fraction": 1.0,
        "drifted_columns_fraction": 0.2,
        "minimum_drifted_columns": 2,
        "severe_factor": 3.0,
        "missing_values_increase_fraction": 0.05,
    }
    means = RecentMeanSettings(features=(), rows=2, margin=1.0, floor=0.1, minimum_stretches=2)
    still = StandingStillSettings(least_rows=10, factor=2.0)
    return DriftThresholdSettings(
        floors=DriftFloorSettings(**FLOORS), recent_means=means, standing_still=still, **(values | changes)
    )


def test_steady_reference_is_held_to_the_floors() -> None:
    assert column_thresholds(np.full(100, 3.0), 20, settings()) == pytest.approx(list(FLOORS.values()))


def test_most_unusual_block_sets_the_thresholds() -> None:
    reference = np.random.default_rng(3).normal(size=120)
    reference[40:60] += 5
    odd = drift_scores(np.delete(reference, slice(40, 60)), reference[40:60])
    assert column_thresholds(reference, 20, settings()) == pytest.approx(1.5 * odd)


def test_missing_values_of_the_reference_are_left_out() -> None:
    reference = np.random.default_rng(4).normal(size=120)
    holed = reference.copy()
    holed[::6] = np.nan
    thresholds = column_thresholds(holed, 20, settings())
    blocks = [np.r_[begin : begin + 20] for begin in range(0, 120, 20)]
    scores = []
    for block in blocks:
        rest = np.delete(holed, block)
        scores.append(drift_scores(rest[np.isfinite(rest)], holed[block][np.isfinite(holed[block])]))
    assert thresholds == pytest.approx(np.maximum(list(FLOORS.values()), 1.5 * np.max(scores, axis=0)))


def test_reference_with_a_single_value_is_held_to_the_floors() -> None:
    reference = np.full(60, np.nan)
    reference[7] = 1.0
    assert column_thresholds(reference, 20, settings()) == pytest.approx(list(FLOORS.values()))


@pytest.mark.parametrize(("rows", "length", "stride"), [(100, 20, 0.5), (101, 20, 0.5), (60, 20, 1.0), (10, 3, 0.01)])
def test_blocks_reach_every_row_and_the_rest_is_the_others(rows: int, length: int, stride: float) -> None:
    cuts = blocks_and_rest(rows, length, stride)
    assert (cuts.current.sum(axis=1) == length).all()
    assert cuts.current.any(axis=0).all()
    assert cuts.current[-1, -length:].all()
    assert (cuts.reference == ~cuts.current).all()
