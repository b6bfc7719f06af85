"""The suite, one fault at a time: each is found, named, and nothing else is."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.bars import as_bars
from MLOps.market.calendars import close_instants
from MLOps.settings.ingestion import IngestionSettings
from pipelines.data_ingestion.validate_bars import validate_bars

_AS_OF = date(2018, 1, 12)


@pytest.fixture(scope="session")
def sound_bars(make_prices: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Two tickers, the eight sessions from 2018-01-02 to 2018-01-12, and one that was delisted on the 5th."""
    prices = make_prices(tickers=("AAA", "BBB"), sessions=9)
    prices = prices[prices["session"] <= "2018-01-12"]
    gone = prices[(prices["ticker"] == "BBB") & (prices["session"] <= "2018-01-05")].assign(ticker="GONE")
    prices = pd.concat([prices, gone], ignore_index=True)
    is_last_bar = (prices["ticker"] == "GONE") & (prices["session"] == "2018-01-05")
    facts = {"dividend": 0.0, "split_ratio": 1.0, "is_close_only": False, "is_delisted": is_last_bar}
    return as_bars(prices.assign(timestamp=close_instants("XNYS", prices["session"]), **facts))


@pytest.fixture
def judge(default_settings: IngestionSettings, tmp_path: Path) -> Callable[[pd.DataFrame], str]:
    """The reasons why bars fail, in one line; empty if they pass."""

    def run(bars: pd.DataFrame) -> str:
        try:
            validate_bars(bars, "XNYS", _AS_OF, default_settings.validation, tmp_path)
        except DataError as error:
            return error.given.partition("checks: ")[2]
        return ""

    return run


def _set(column: str, value: object, row: int = 10) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def spoil(bars: pd.DataFrame) -> pd.DataFrame:
        spoilt = bars.copy()
        spoilt.loc[row, column] = value
        return spoilt

    return spoil


def test_sound_bars_pass_and_the_report_says_so(
    judge: Callable[[pd.DataFrame], str], sound_bars: pd.DataFrame, tmp_path: Path
) -> None:
    assert judge(sound_bars) == ""
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["is_passed"]
    assert report["tickers"] == ["AAA", "BBB", "GONE"]
    assert "passed" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_set("adjusted_close", float("nan")), "adjusted_close is missing (1 x: BBB 2018-01-05)"),
        (_set("volume", float("nan")), "volume is missing (1 x: BBB 2018-01-05)"),
        (_set("volume", -1.0), "volume is negative (1 x: BBB 2018-01-05)"),
        (_set("dividend", -0.1), "dividend is negative (1 x: BBB 2018-01-05)"),
        (_set("split_ratio", 0.0), "split_ratio is not positive (1 x: BBB 2018-01-05)"),
        (
            lambda bars: bars.assign(low=bars["low"].mask(bars.index == 10, bars["high"])),
            "low is above another price of the day (1 x: BBB 2018-01-05)",
        ),
        (_set("timestamp", pd.Timestamp("2018-01-05 22:00", tz="UTC")), "or the timestamp is not its close (1 x: BBB"),
        (lambda bars: bars.drop(index=bars.index[-2:]), "missing up to the date of the data (2 x: AAA 2018-01-11, BBB"),
        (lambda bars: bars.drop(index=3), "sessions are missing before this one (1 x: AAA 2018-01-04)"),
        (lambda bars: bars.assign(is_delisted=False), "missing up to the date of the data (1 x: GONE 2018-01-05)"),
        (lambda bars: bars.assign(volume=bars["volume"].astype(int)), "volume is not float64 (observed int64)"),
    ],
)
def test_each_fault_is_named(
    judge: Callable[[pd.DataFrame], str],
    sound_bars: pd.DataFrame,
    spoil: Callable[[pd.DataFrame], pd.DataFrame],
    told: str,
) -> None:
    reasons = judge(spoil(sound_bars))
    assert told in reasons
    assert ";" not in reasons  # one fault, one reason


def test_an_unadjusted_split_is_found(judge: Callable[[pd.DataFrame], str], sound_bars: pd.DataFrame) -> None:
    prices = ["open", "high", "low", "close", "adjusted_close"]
    split = sound_bars.copy()
    is_after = (split["ticker"] == "AAA") & (split["session"] >= "2018-01-10")
    split.loc[is_after, prices] /= 2
    assert "the close jumps like an unadjusted split (1 x: AAA 2018-01-10)" in judge(split)


def test_a_weekend_is_no_session(judge: Callable[[pd.DataFrame], str], sound_bars: pd.DataFrame) -> None:
    saturday = pd.Timestamp("2018-01-06")
    extra = sound_bars.iloc[[9]].assign(session=saturday, timestamp=pd.Timestamp("2018-01-06 21:00", tz="UTC"))
    bars = pd.concat([sound_bars, extra]).sort_values(["session", "ticker"], ignore_index=True)
    assert "the day is no session of the exchange" in judge(bars)


def test_the_report_names_every_row_up_to_a_limit(
    default_settings: IngestionSettings, sound_bars: pd.DataFrame, tmp_path: Path
) -> None:
    limits = default_settings.validation.model_copy(update={"max_reported_rows": 2})
    with pytest.raises(DataError):
        validate_bars(sound_bars.assign(volume=-1.0), "XNYS", _AS_OF, limits, tmp_path)
    checks = json.loads((tmp_path / "report.json").read_text())["checks"]
    (failed,) = [check for check in checks if not check["is_met"]]
    assert failed["bad_rows"] == len(sound_bars)
    assert [(row["ticker"], row["day"]) for row in failed["rows"]] == [("AAA", "2018-01-02"), ("BBB", "2018-01-02")]
