"""Crypto bars out of an archive's file: digits kept, times brought to UTC, what is wrong told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.settings.crypto_ingestion import CryptoIngestionSettings
from pipelines.data_ingestion import read_crypto_archive as module
from pipelines.data_ingestion.read_crypto_archive import read_crypto_archive

Read = Callable[..., pd.DataFrame]
_BANNER = "a banner\ndate,symbol,open,high,low,close,volume_btc,volume\n"


@pytest.fixture
def read(crypto_settings: CryptoIngestionSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read a file's text as the settings of a symbol say, with changes."""

    def run(text: str | bytes, symbol: str = "BTC", **changes: Any) -> pd.DataFrame:
        path = tmp_path / "bars.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        monkeypatch.setattr(module, "fetch_package_file", lambda *_: path)
        source = crypto_settings.sources.crypto.symbols[symbol].model_copy(update=changes)
        return read_crypto_archive(source, tmp_path, timeout_seconds=1)

    return run


def _hours(*times: str) -> str:
    """A file whose rows differ in their times alone."""
    return _BANNER + "".join(f"{time},BTCUSD,2509.10,2513,2495.12,2500,114.60,0.1\n" for time in times)


def _told(rows: pd.DataFrame) -> list[str]:
    return list(rows["opened_at"].dt.strftime("%m-%d %H:%M"))


def test_digits_are_those_of_the_file(read: Read) -> None:
    (row,) = read(_hours("2019-05-01 12-AM"), is_last_bar_open=False).to_dict("records")
    assert row == {
        "opened_at": pd.Timestamp("2019-05-01T00:00", tz="UTC"),
        **{"open": "2509.10", "high": "2513", "low": "2495.12", "close": "2500"},
        **{"volume": "114.60", "volume_usd": "0.1"},
    }


def test_rows_are_put_in_order_and_the_open_bar_is_left_out(read: Read) -> None:
    rows = read(_hours("2019-05-01 01-PM", "2019-05-01 12-PM", "2019-05-01 11-AM"))
    assert _told(rows) == ["05-01 11:00", "05-01 12:00"]


def test_hours_written_in_new_york_are_brought_to_utc(read: Read) -> None:
    in_utc, before = ("2017-09-22 07-PM", "2017-11-12 09-AM"), ("2017-09-22 08-PM", "2017-11-05 12-AM")
    after_the_clocks_were_set_back = ("2017-11-05 01-AM", "2017-11-12 03-AM")
    rows = read(_hours(*in_utc, *before, *after_the_clocks_were_set_back), is_last_bar_open=False)
    assert _told(rows) == ["09-22 19:00", "09-23 00:00", "11-05 04:00", "11-05 06:00", "11-12 08:00", "11-12 09:00"]


def test_a_bar_that_is_there_twice_counts_once(read: Read) -> None:
    # 03-AM lies in the stretch of New York's time and means 08:00 UTC, which the file holds too
    text = _hours("2017-11-12 08-AM", "2017-11-12 03-AM")
    assert _told(read(text, is_last_bar_open=False)) == ["11-12 08:00"]
    other = text.replace("08-AM,BTCUSD,2509.10", "08-AM,BTCUSD,2509.11")
    assert _told(read(other, is_last_bar_open=False)) == ["11-12 08:00", "11-12 08:00"]


def test_days_before_a_coin_was_traded_are_no_rows(read: Read) -> None:
    text = (
        ",BTC:open,ETH:open,ETH:high,ETH:low,ETH:close,ETH:volume\n"
        "2016-05-26,450,,,,,\n2016-05-27,460,11.98,12,10.25,11.25,13749.03\n"
    )
    rows = read(text, symbol="ETH", is_last_bar_open=False)
    assert _told(rows) == ["05-27 00:00"]
    assert list(rows.columns) == ["opened_at", "open", "high", "low", "close", "volume"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no line 2; allowed: the line of the columns' names"),
        (_BANNER, "has no rows"),
        (_hours("2019-05-01 01-PM").replace("close", "last"), "no column close; allowed: date, symbol, open"),
        (_hours("2019-05-01 01-PM") + "2019-05-01 02-PM,BTCUSD,1\n", "1 lines (first: 4) have another number of"),
        (_hours("2019-05-01 01-PM", "some day"), "1 times cannot be read (first: 'some day')"),
        (_hours("2019-05-01 13-PM"), "1 times cannot be read (first: '2019-05-01 13-PM')"),
        (_hours("2019-05-01 01-PM").encode() + b"\xff", "is no CSV in UTF-8"),
    ],
)
def test_a_file_of_another_form_is_told(read: Read, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(text)
    assert message in str(caught.value)


def test_the_column_without_a_name_is_called_so_when_it_is_missing(read: Read) -> None:
    with pytest.raises(DataError, match=r"no column \(no name\)"):
        read("day,ETH:open,ETH:high,ETH:low,ETH:close,ETH:volume\n2016-05-27,1,1,1,1,1\n", symbol="ETH")


# Real data: what the settings say of the files is so


def test_hours_agree_with_the_daily_bars_of_the_same_archive(
    crypto_settings: CryptoIngestionSettings, crypto_cache: Path
) -> None:
    hourly = crypto_settings.sources.crypto.symbols["BTC"]
    as_days = {"frequency": "1d", "time_format": "%Y-%m-%d", "local_time_spans": (), "is_last_bar_open": False}
    daily = hourly.model_copy(update={"file": hourly.file.replace("_1h.csv", "_d.csv"), **as_days})
    days = read_crypto_archive(daily, crypto_cache, timeout_seconds=30).set_index("opened_at")["close"].astype(float)

    def unlike(source_rows: pd.DataFrame) -> list[str]:
        """Days that end at another price in the hourly file than in the daily one."""
        hours = source_rows.set_index("opened_at")["close"].astype(float)
        closes = pd.concat({"hours": hours.resample("1D").last().iloc[:-1], "days": days}, axis=1, join="inner")
        return [f"{day:%Y-%m-%d}" for day in closes.index[closes["hours"] != closes["days"]]]

    told = unlike(read_crypto_archive(hourly, crypto_cache, timeout_seconds=30))
    halts = ["2018-08-11", "2018-08-12", "2018-10-15", "2018-10-16", "2018-11-30", "2018-12-11"]
    assert told == ["2017-09-22", *halts, "2019-03-19", "2019-05-07"]  # where hours or whole days are missing or idle
    as_written = hourly.model_copy(update={"local_time_spans": ()})
    wrong = set(unlike(read_crypto_archive(as_written, crypto_cache, timeout_seconds=30))) - set(told)
    assert (min(wrong), max(wrong)) == ("2017-09-23", "2017-11-11")
