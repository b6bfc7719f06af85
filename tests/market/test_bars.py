"""The bars contract: what is written comes back, and what no reader could use is refused."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.bars import COLUMNS, as_bars, check_bars, read_bars, select_sessions, write_bars


@pytest.fixture
def bars(make_prices: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    prices = make_prices(tickers=("AAA", "BBB"), sessions=300)
    closes = prices["session"].dt.tz_localize("UTC") + pd.Timedelta(hours=21)
    return as_bars(
        prices.assign(timestamp=closes, dividend=0.0, split_ratio=1.0, is_close_only=False, is_delisted=False)
    )


def test_bars_come_back_as_they_were_written(bars: pd.DataFrame, tmp_path: Path) -> None:
    files = write_bars(bars, tmp_path)
    assert sorted(files) == [2018, 2019]
    pd.testing.assert_frame_equal(read_bars(tmp_path), bars)


def test_equal_bars_give_equal_bytes(bars: pd.DataFrame, tmp_path: Path) -> None:
    shuffled = as_bars(bars.sample(frac=1, random_state=1))
    first, second = write_bars(bars, tmp_path / "a"), write_bars(shuffled, tmp_path / "b")
    assert {year: path.read_bytes() for year, path in first.items()} == {
        year: path.read_bytes() for year, path in second.items()
    }


def test_reads_one_file_and_chosen_tickers(bars: pd.DataFrame, tmp_path: Path) -> None:
    path = write_bars(bars, tmp_path)[2018]
    read = read_bars(path, ["BBB"])
    assert set(read["ticker"]) == {"BBB"}
    assert set(read["session"].dt.year) == {2018}


def test_unknown_ticker_is_named(bars: pd.DataFrame, tmp_path: Path) -> None:
    write_bars(bars, tmp_path)
    with pytest.raises(DataError, match="unknown ticker ZZZ; allowed: AAA, BBB"):
        read_bars(tmp_path, ["AAA", "ZZZ"])


def test_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no bars"):
        read_bars(tmp_path / "absent")


def test_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "2018.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"2018\.parquet is not a Parquet file"):
        read_bars(tmp_path)


def test_missing_column_is_named(bars: pd.DataFrame, tmp_path: Path) -> None:
    bars.drop(columns=["volume", "split_ratio"]).to_parquet(tmp_path / "2018.parquet")
    with pytest.raises(DataError, match="no column volume, split_ratio"):
        read_bars(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda bars: pd.concat([bars.iloc[:1], bars], ignore_index=True),
            "1 x duplicated row, first AAA on 2018-01-02",
        ),
        (lambda bars: bars.iloc[[1, 0, *range(2, len(bars))]].reset_index(drop=True), "2 x row out of order"),
        (
            lambda bars: bars.assign(adjusted_close=bars["adjusted_close"].where(bars.index != 3)),
            "missing adjusted_close",
        ),
        (lambda bars: bars.iloc[:0], "no rows"),
    ],
)
def test_refuses_what_no_reader_could_use(
    bars: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    check_bars(bars)
    with pytest.raises(DataError, match=message):
        check_bars(spoil(bars))


def test_values_of_a_wrong_type_are_told(bars: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="bars"):
        as_bars(bars.assign(open="much"))


def test_window_without_a_bar_is_told(bars: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no bar from 2030-01-01 to 2030-02-01; allowed: 2018-01-02 to"):
        select_sessions(bars, date(2030, 1, 1), date(2030, 2, 1))


def test_contract_has_one_order_of_columns(bars: pd.DataFrame) -> None:
    assert tuple(bars.columns) == COLUMNS
