"""Features as columns: how each is looked at, and what no reader of clean data would take."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from monitoring.drift.feature_columns import look_at, read_features

DAYS = pd.date_range("2020-01-01", periods=5)


@pytest.fixture(scope="module")
def settings() -> DriftSettings:
    return compose_settings(DriftSettings, "check_data_drift", ["past_sessions=2"])


def long_table(**columns: list[object]) -> pd.DataFrame:
    """Five days of AA and BB; a column's values in the order of rows."""
    return pd.DataFrame({"date": np.repeat(DAYS, 2), "tic": ["AA", "BB"] * 5} | columns)


CLOSE = [10.0, 1.0, 20.0, 1.0, 40.0, 1.0, 20.0, 2.0, 20.0, 4.0]


def test_levels_of_prices_and_volumes_do_not_matter(settings: DriftSettings) -> None:
    volume = [8.0, 1.0, 8.0, 1.0, 16.0, 1.0, 8.0, 1.0, 0.0, 1.0]
    table = long_table(close=CLOSE, boll_ub=[2 * value for value in CLOSE], volume=volume, rsi_30=list(range(10)))
    frame = look_at(table, settings).frame
    assert list(frame.index) == list(DAYS[2:])  # the first two have no past of two sessions
    assert frame["close.AA"].tolist() == pytest.approx([np.log(2), -np.log(2), 0.0])
    assert frame["boll_ub"].tolist() == [2.0, 2.0, 2.0]  # the same for both tickers: one column
    assert frame["volume.AA"].tolist()[:2] == pytest.approx([np.log(16 / 8), np.log(8 / 12)])
    assert np.isnan(frame["volume.AA"].iloc[-1])  # a session without volume has no logarithm
    assert frame["rsi_30.BB"].tolist() == [5.0, 7.0, 9.0]


def test_day_of_the_week_is_left_out(settings: DriftSettings) -> None:
    assert list(look_at(long_table(day=[0] * 10, rsi_30=list(range(10))), settings).frame) == ["rsi_30.AA", "rsi_30.BB"]


def test_text_and_infinity_are_missing_values_and_text_is_told(settings: DriftSettings) -> None:
    table = long_table(rsi_30=["1", "x", "3", "4", "n/a", "6", "7", "8", "9", "10"], cci_30=[*range(8), np.inf, 9])
    seen = look_at(table, settings)
    assert seen.notes == ("rsi_30: 2 of 10 values are no numbers, first 'x'",)
    assert seen.frame["rsi_30.AA"].isna().tolist() == [True, False, False]
    assert seen.frame["cci_30.AA"].isna().tolist() == [False, False, True]


def test_a_ticker_that_lacks_a_day_has_a_missing_value(settings: DriftSettings) -> None:
    frame = look_at(long_table(rsi_30=list(range(10))).drop(index=9), settings).frame
    assert frame["rsi_30.BB"].isna().tolist() == [False, False, True]


def test_a_missing_row_leaves_a_column_of_all_tickers_one(settings: DriftSettings) -> None:
    vix = [10.0, 10.0, 20.0, 20.0, 30.0, 30.0, 40.0, 40.0, 50.0, 50.0]
    frame = look_at(long_table(vix=vix).drop(index=8), settings).frame
    assert frame["vix"].tolist() == [30.0, 40.0, 50.0]
    differing = look_at(long_table(vix=[*vix[:9], 0.0]).drop(index=6), settings).frame
    assert list(differing) == ["vix.AA", "vix.BB"]


def test_numbers_without_a_square_are_missing_and_told(settings: DriftSettings) -> None:
    huge = [1e308, *range(1, 8), 1e150, -1e308]
    seen = look_at(long_table(rsi_30=huge, close=[1e-200, *CLOSE[1:]], macd=[1e149] * 10), settings)
    assert seen.notes == ("rsi_30: 2 of 10 values lie beyond 1e+150 and count as missing, first 1e+308",)
    assert seen.frame["rsi_30.AA"].tolist() == [4.0, 6.0, 1e150]
    assert seen.frame["rsi_30.BB"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("sessions", [1, 2])
def test_features_of_too_few_sessions_are_told_apart_from_none(settings: DriftSettings, sessions: int) -> None:
    table = long_table(rsi_30=list(range(10))).iloc[: 2 * sessions]
    with pytest.raises(DataError, match=f"features of {sessions} sessions, of which the first 2 are only the past"):
        look_at(table, settings)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_both_formats_give_the_same(settings: DriftSettings, tmp_path: Path, suffix: str) -> None:
    table, path = long_table(close=CLOSE), tmp_path / f"features{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    pd.testing.assert_frame_equal(
        read_features(path, settings).frame, look_at(table, settings).frame, check_freq=False, check_index_type=False
    )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda table: table.drop(columns="tic"), "tic"),
        (lambda table: table.assign(date="yesterday"), "cannot be read"),
        (lambda table: table.assign(date=table["date"].where(table.index != 3)), "row 3 has no date or ticker"),
        (lambda table: pd.concat([table, table.tail(1)]), "BB has 2020-01-05 twice"),
    ],
)
def test_file_that_is_no_table_of_features_is_refused(
    settings: DriftSettings, tmp_path: Path, spoil: object, told: str
) -> None:
    path = tmp_path / "features.parquet"
    spoil(long_table(close=CLOSE)).to_parquet(path)  # type: ignore[operator]
    with pytest.raises(DataError, match=told):
        read_features(path, settings)
