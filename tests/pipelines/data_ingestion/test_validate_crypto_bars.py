"""The suite of crypto bars, one fault at a time: each is found, named, and nothing else is."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.settings.crypto_ingestion import CryptoIngestionSettings
from pipelines.data_ingestion.validate_crypto_bars import validate_crypto_bars

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def bars() -> pd.DataFrame:
    """Ten hours on either side of the one that is missing in the settings, 2017-11-05 05:00 UTC."""
    opened = pd.date_range("2017-11-05", periods=11, freq="h", tz="UTC", unit="us").delete(5)
    rise = pd.Series(range(10), dtype=float)
    prices = {"open": 10 + rise, "high": 12 + rise, "low": 9 + rise, "close": 11 + rise}
    return pd.DataFrame({"opened_at": opened, "ticker": "BTC", **prices, "volume": 1.5, "volume_usd": 16.0})


@pytest.fixture
def judge(crypto_settings: CryptoIngestionSettings, tmp_path: Path) -> Callable[[pd.DataFrame], str]:
    """The reasons why bars fail, in one line; empty if they pass."""

    def run(bars: pd.DataFrame) -> str:
        try:
            validate_crypto_bars(bars, crypto_settings.source, date(2017, 11, 5), 50, tmp_path)
        except DataError as error:
            return error.given.partition("checks: ")[2]
        return ""

    return run


def _set(row: int, **values: object) -> Change:
    def spoil(bars: pd.DataFrame) -> pd.DataFrame:
        return bars.assign(**{name: bars[name].where(bars.index != row, value) for name, value in values.items()})

    return spoil


def test_sound_bars_pass_and_the_report_says_so(
    judge: Callable[[pd.DataFrame], str], bars: pd.DataFrame, tmp_path: Path
) -> None:
    assert judge(bars) == ""
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["is_passed"], report["rows"], report["frequency"]) == (True, 10, "1h")
    assert "BTC, 1h: 10 bars, 2017-11-05 00:00 to 2017-11-05 10:00 UTC" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_set(2, close=float("nan")), "close is missing or no number (1 x: BTC 2017-11-05 02:00)"),
        (_set(2, volume_usd=float("nan")), "volume_usd is missing or no number (1 x: BTC 2017-11-05 02:00)"),
        (_set(2, low=-1.0), "low is no positive, finite number (1 x: BTC 2017-11-05 02:00)"),
        (_set(2, high=float("inf")), "high is no positive, finite number (1 x: BTC 2017-11-05 02:00)"),
        (_set(2, volume=-1.0), "volume is negative or infinite (1 x: BTC 2017-11-05 02:00)"),
        (_set(2, low=12.5), "low is above another price of the bar (1 x: BTC 2017-11-05 02:00)"),
        (_set(2, high=12.5), "high is below another price of the bar (1 x: BTC 2017-11-05 02:00)"),
        (lambda bars: bars.drop(index=[2, 3]), "bars are missing before this one (1 x: BTC 2017-11-05 04:00)"),
        (
            lambda bars: bars.assign(opened_at=bars["opened_at"].mask(bars.index == 9, bars["opened_at"].iloc[8])),
            "two bars open at the same time (2 x: BTC 2017-11-05 09:00, BTC 2017-11-05 09:00)",
        ),
        (
            _set(2, open=11.0, high=13.0, low=10.0, close=12.0),
            "another bar has the same prices and the same volume (2 x: BTC 2017-11-05 01:00, BTC 2017-11-05 02:00)",
        ),
    ],
)
def test_a_fault_is_found_and_nothing_else(
    judge: Callable[[pd.DataFrame], str], bars: pd.DataFrame, change: Change, told: str
) -> None:
    assert judge(change(bars)) == told
