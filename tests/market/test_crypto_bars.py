"""The contract of crypto bars: what is written comes back, gaps are named, unusable bars are refused."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.crypto_bars import COLUMNS, bar_length, missing_spans, read_crypto_bars, write_crypto_bars

HOUR = pd.Timedelta(hours=1).as_unit("us")
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def bars() -> pd.DataFrame:
    """Eight hours from 2019-03-30 20:00 UTC on, in the contract's columns."""
    opened = pd.date_range("2019-03-30T20:00", periods=8, freq="h", tz="UTC", unit="us")
    prices = pd.DataFrame({"open": 10.0, "high": 12.5, "low": 9.25, "close": 11.0}, index=range(8))
    return prices.assign(timestamp=opened + HOUR, opened_at=opened, ticker="BTC", volume=0.5, volume_usd=5.5)[
        list(COLUMNS)
    ]


def test_bars_come_back_sorted_whatever_their_order_was(bars: pd.DataFrame, tmp_path: Path) -> None:
    write_crypto_bars(bars, tmp_path / "a.parquet")
    write_crypto_bars(bars.iloc[::-1], tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(read_crypto_bars(tmp_path / "a.parquet"), bars)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_volume_in_dollars_may_be_unknown(bars: pd.DataFrame, tmp_path: Path) -> None:
    write_crypto_bars(bars.assign(volume_usd=float("nan")), tmp_path / "bars.parquet")
    assert read_crypto_bars(tmp_path / "bars.parquet")["volume_usd"].isna().all()


def test_the_frequency_stands_in_every_row(bars: pd.DataFrame) -> None:
    assert bar_length(bars) == HOUR


def test_gaps_are_named_by_their_first_and_last_missing_bar(bars: pd.DataFrame) -> None:
    gaps = missing_spans(bars.drop(index=[1, 4, 5, 6]))
    told = [(str(gap.first)[:16], str(gap.last)[:16], gap.bars) for gap in gaps.itertuples(index=False)]
    assert told == [("2019-03-30 21:00", "2019-03-30 21:00", 1), ("2019-03-31 00:00", "2019-03-31 02:00", 3)]
    assert missing_spans(bars).empty


def _changed(row: int, **values: object) -> Change:
    def change(bars: pd.DataFrame) -> pd.DataFrame:
        bars = bars.copy()
        for name, value in values.items():
            bars.loc[row, name] = value
        return bars

    return change


def _moved(row: int, by: str, length: str = "1h") -> Change:
    def move(bars: pd.DataFrame) -> pd.DataFrame:
        opened = bars["opened_at"].iloc[row] + pd.Timedelta(by)
        return _changed(row, opened_at=opened, timestamp=opened + pd.Timedelta(length))(bars)

    return move


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda bars: bars.iloc[:0], "no rows"),
        (_changed(3, ticker="ETH"), "1 x bar of another coin, first ETH at 2019-03-30 23:00"),
        (_changed(3, ticker=None), "1 x bar of another coin"),
        (_changed(3, opened_at=pd.NaT), "1 x missing time"),
        (_moved(3, "0h", length="24h"), "1 x bar of another length, first BTC at 2019-03-30 23:00"),
        (_moved(7, "0h", length="0h"), "1 x bar of another length"),
        (_moved(7, "30min"), "1 x bar off the grid of its length, first BTC at 2019-03-31 03:30"),
        (_moved(7, "-1h"), "1 x duplicated bar or bar out of order, first BTC at 2019-03-31 02:00"),
        (_changed(3, close=float("nan")), "1 x price that is missing or not positive, first BTC at 2019-03-30 23:00"),
        (_changed(3, low=float("inf")), "1 x price that is missing or not positive"),
        (_changed(3, open=0.0), "1 x price that is missing or not positive"),
    ],
)
def test_unusable_bars_are_refused(bars: pd.DataFrame, tmp_path: Path, change: Change, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        write_crypto_bars(change(bars), tmp_path / "bars.parquet")
    assert not (tmp_path / "bars.parquet").exists()


def test_bars_of_another_contract_are_refused(bars: pd.DataFrame, tmp_path: Path) -> None:
    bars.drop(columns="opened_at").to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(DataError, match="opened_at"):
        read_crypto_bars(tmp_path / "bars.parquet")


def test_a_reader_checks_what_it_reads(bars: pd.DataFrame, tmp_path: Path) -> None:
    bars.assign(close=-1.0).to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(DataError, match="8 x price that is missing or not positive"):
        read_crypto_bars(tmp_path / "bars.parquet")
