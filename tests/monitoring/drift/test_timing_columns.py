"""What a buy-timing agent sees: windows around its training, by themselves and through the stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.environments.dca_timing import observations_of
from MLOps.errors import DataError
from MLOps.market.crypto_bars import PRICES, write_crypto_bars
from MLOps.market.price_cycles import consecutive, read_timing_prices, split_cycles
from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from monitoring.drift.timing_columns import timing_windows

Check = Callable[..., Any]
MakeBars = Callable[..., pd.DataFrame]
TRAINED_HOURS = 24 * 100
WINDOWS = (
    "data.window_size=8",
    "data.cycle_steps=6",
    "data.validation_start=2018-04-11",  # the hundred-and-first day
    "data.test_start=2018-04-15",
    "timing.current_cycles=20",
)
ONLY = "subjects=[timing_observation]"


def laid_down(bars: pd.DataFrame, workspace: Path) -> Path:
    path = workspace / "data" / "crypto" / "btc" / "bars.parquet"
    path.parent.mkdir(parents=True)
    write_crypto_bars(bars, path)
    return path


def settings_of(*changes: str) -> DriftSettings:
    return compose_settings(DriftSettings, "check_data_drift", [*WINDOWS, *changes])


@pytest.fixture
def bars(make_crypto_bars: MakeBars) -> pd.DataFrame:
    """110 days of hours without any change."""
    return make_crypto_bars(count=24 * 110)


@pytest.fixture
def turned(bars: pd.DataFrame) -> pd.DataFrame:
    """The same, but after training each hour rises by a standard deviation more."""
    hours = np.maximum(np.arange(len(bars)) - TRAINED_HOURS, 0)
    return bars.assign(**{name: bars[name] * np.exp(0.01 * hours) for name in PRICES})


def test_the_newest_cycles_stand_against_those_of_the_training(bars: pd.DataFrame, workspace: Path) -> None:
    settings, path = settings_of(), laid_down(bars, workspace)
    sample = timing_windows(path, settings)
    assert list(sample.reference.columns) == [
        "position_value",
        *(f"price_history.{age}_ago" for age in range(7, 0, -1)),
    ]
    cycles = split_cycles(read_timing_prices(path, settings.data), settings.data)
    seen = observations_of(consecutive(cycles["train"]))[:, :, [0, *range(2, 9)]].reshape(-1, 8)
    np.testing.assert_array_equal(sample.reference.to_numpy(), seen)
    assert len(sample.reference) == 6 * ((TRAINED_HOURS - 7) // 6)
    assert len(sample.current) == 20 * 6
    for window in (sample.reference, sample.current):
        assert window.index.is_monotonic_increasing
        assert window.index.is_unique
    assert sample.reference.index[-1] <= pd.Timestamp("2018-04-11") < sample.current.index[0]
    assert sample.current.index[-1] > bars["timestamp"].iloc[-1].tz_localize(None) - pd.Timedelta(hours=6)


def test_nothing_wrong_is_no_drift(bars: pd.DataFrame, workspace: Path, check: Check) -> None:
    laid_down(bars, workspace)
    outcome = check(None, ONLY, *WINDOWS)
    assert outcome.status == 0, outcome.stderr
    assert outcome.result["details"]["timing_observation_btc.status"] == "no_drift"
    told = (workspace / "reports" / "metrics" / "check_data_drift.prom").read_text()
    assert 'trading_drift_status{subject="timing_observation_btc"} 0.0' in told
    assert 'trading_drift_column_score{column="price_history",method="psi",subject="timing_observation_btc"}' in told


def test_a_market_that_the_training_has_not_seen_is_drift(turned: pd.DataFrame, workspace: Path, check: Check) -> None:
    laid_down(turned, workspace)
    outcome = check(None, ONLY, *WINDOWS)
    assert outcome.status == 10
    assert "columns drifted, drift is from " in outcome.result["details"]["timing_observation_btc.reasons"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("timing_bars_path=absent.parquet",), "absent.parquet does not exist"),
        (
            ("timing.current_cycles=200", "timing.minimum_current_cycles=100"),
            "cycles after training; allowed: at least",
        ),
        (
            ("timing.minimum_reference_blocks=50",),
            "cycles of training for a current window of 20; allowed: at least 1000",
        ),
        (("data.frequency=1d", "data.test_start=2018-08-01"), "not a single cycle"),
        (("data.symbol=ETH", "timing_bars_path=data/crypto/btc/bars.parquet"), "holds BTC, not ETH"),
    ],
)
def test_what_cannot_be_checked_is_told(
    bars: pd.DataFrame, workspace: Path, check: Check, changes: tuple[str, ...], message: str
) -> None:
    laid_down(bars, workspace)
    outcome = check(None, ONLY, *WINDOWS, *changes)
    assert outcome.status == 11
    assert message in outcome.last_line


def test_broken_bars_are_told(bars: pd.DataFrame, workspace: Path) -> None:
    path = laid_down(bars, workspace)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError):
        timing_windows(path, settings_of())


def test_more_cycles_wanted_than_counted_is_refused(check: Check) -> None:
    outcome = check(None, ONLY, "timing.current_cycles=3")
    assert outcome.status == 2
    assert "minimum_current_cycles must be at most current_cycles=3" in outcome.last_line


def test_the_cycles_are_part_of_the_key_only_where_they_are_checked(
    bars: pd.DataFrame, features: pd.DataFrame, workspace: Path, check: Check
) -> None:
    laid_down(bars, workspace)

    def key(*arguments: str) -> str:
        return str(check(features, *arguments).result["key"])

    assert key("subjects=[features]", *WINDOWS) == key("subjects=[features]", *WINDOWS, "data.window_size=9")
    assert key(ONLY, *WINDOWS) != key(ONLY, *WINDOWS, "data.window_size=9")
