"""Prices are cut into cycles that stay in their window of time and span no gap."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.market.crypto_bars import write_crypto_bars
from MLOps.market.price_cycles import (
    SPLITS,
    Cycles,
    TimingPrices,
    consecutive,
    instant,
    read_timing_prices,
    split_cycles,
    timing_bars_path,
    timing_prices_of,
)
from MLOps.settings.project import project_root
from MLOps.settings.stage_settings import PathSettings
from MLOps.settings.timing import TimingDataSettings

MakeBars = Callable[..., pd.DataFrame]


def make_data(coin: str = "btc", **changes: Any) -> TimingDataSettings:
    path = project_root() / "config" / "data" / f"{coin}.yaml"
    return TimingDataSettings.model_validate(yaml.safe_load(path.read_text()) | changes)


DAILY = {"frequency": "1d", "window_size": 3, "cycle_steps": 2}
SHORT = {"train_start": None, "validation_start": "2018-01-08", "test_start": "2018-01-13", "test_end": None}


def daily_prices(count: int, gaps: tuple[int, ...] = ()) -> TimingPrices:
    """Closes 1, 2, ... of the days from 2018-01-01 on, bars missing before the rows `gaps`."""
    follows_gap = np.isin(np.arange(count), gaps)
    days = np.arange(1, count + 1) + np.cumsum(follows_gap)
    times = np.datetime64("2018-01-01", "us") + days * np.timedelta64(1, "D")
    return TimingPrices(np.arange(1.0, count + 1), times, follows_gap)


def test_a_cycle_and_its_history_lie_in_one_window() -> None:
    cycles = split_cycles(daily_prices(16), make_data(**DAILY, **SHORT))
    # train is rows 0..6, validation 7..11, test 12..15; three closes of history and one decision more
    assert {name: held.starts.tolist() for name, held in cycles.items()} == {
        "train": [2, 3, 4, 5],
        "validation": [9, 10],
        "test": [14],
    }
    assert cycles["test"].times[14] == np.datetime64("2018-01-16")


def test_the_windows_can_be_narrowed_by_first_and_last_day() -> None:
    narrow = SHORT | {"train_start": "2018-01-03", "test_end": "2018-01-17"}
    cycles = split_cycles(daily_prices(20), make_data(**DAILY, **narrow))
    assert cycles["train"].starts.tolist() == [4, 5]
    assert cycles["test"].starts.tolist() == [14, 15]


def test_nothing_spans_a_gap() -> None:
    cycles = split_cycles(daily_prices(30, gaps=(22,)), make_data(**DAILY, **SHORT))
    assert cycles["test"].starts.tolist() == [14, 15, 16, 17, 18, 19, 20, *range(24, 29)]


@given(
    st.integers(2, 6),
    st.integers(2, 6),
    st.integers(40, 80),
    st.sets(st.integers(1, 79), max_size=3),
)
def test_windows_share_no_close_and_every_allowed_cycle_is_there(
    window: int, steps: int, count: int, gaps: set[int]
) -> None:
    data = make_data(
        frequency="1d", window_size=window, cycle_steps=steps, validation_start="2018-01-15", test_start="2018-01-30"
    )
    prices = daily_prices(count, tuple(gaps))
    try:
        cycles = split_cycles(prices, data)
    except DataError as error:
        assert "not a single cycle" in str(error)  # noqa: PT017 - allowed: the gaps may leave none
        return
    seen = {
        name: {row for start in held.starts for row in range(start - window + 1, start + steps)}
        for name, held in cycles.items()
    }
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]
    assert not seen["train"] & seen["test"]
    place = np.searchsorted(np.array(["2018-01-15", "2018-01-30"], "datetime64[us]"), prices.times, side="left")
    for number, name in enumerate(SPLITS):
        allowed = []
        for start in range(window - 1, count - steps + 1):
            rows = range(start - window + 1, start + steps)
            if all(place[row] == number for row in rows) and not any(prices.follows_gap[row] for row in rows[1:]):
                allowed.append(start)
        assert cycles[name].starts.tolist() == allowed


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(2, 9))
def test_consecutive_cycles_share_no_decision(starts: set[int], steps: int) -> None:
    every = Cycles(np.ones(80), np.array(sorted(starts)), steps, 1, np.zeros(80, "datetime64[us]"))
    chosen = consecutive(every).starts
    assert chosen[0] == min(starts)
    assert (np.diff(chosen) >= steps).all()
    assert all(any(0 <= start - taken < steps for taken in chosen) for start in starts)


@pytest.mark.parametrize("unit", ["h", "us", "ns"])
def test_an_instant_is_aware_of_utc_whatever_its_unit(unit: str) -> None:
    """Nanoseconds would be a whole number otherwise."""
    assert instant(np.datetime64("2019-01-02T06", unit)) == datetime(2019, 1, 2, 6, tzinfo=UTC)


def test_hours_are_joined_to_complete_days_of_utc(make_crypto_bars: MakeBars) -> None:
    bars = make_crypto_bars(count=24 * 5 + 10, first="2018-01-01 20:00").drop(index=[4 + 24 + 7]).reset_index(drop=True)
    prices = timing_prices_of(bars, make_data(frequency="1d"))
    # 20:00 to 24:00 of the first day, the third one with an hour missing, and the last ten hours are left out
    assert prices.times.tolist() == [pd.Timestamp(f"2018-01-0{day}").to_pydatetime() for day in (3, 5, 6, 7)]
    closes = bars.set_index("timestamp")["close"]
    assert prices.closes.tolist() == [closes[f"2018-01-0{day} 00:00+00:00"] for day in (3, 5, 6, 7)]
    assert prices.follows_gap.tolist() == [False, True, False, False]


def test_hours_as_they_are_know_their_gaps(make_crypto_bars: MakeBars) -> None:
    bars = make_crypto_bars(count=10).drop(index=[4, 5]).reset_index(drop=True)
    prices = timing_prices_of(bars, make_data())
    assert np.flatnonzero(prices.follows_gap).tolist() == [4]
    assert prices.times[0] == np.datetime64("2018-01-01T01:00")
    assert prices.closes.tolist() == bars["close"].tolist()


def test_without_a_path_the_newest_bars_of_the_symbol_are_read(make_crypto_bars: MakeBars, workspace: Path) -> None:
    paths, newest = PathSettings(workspace=workspace), workspace / "data" / "crypto" / "eth" / "2018-03-01-abc"
    newest.mkdir(parents=True)
    bars = make_crypto_bars("ETH", 60, "1D")
    write_crypto_bars(bars, newest / "bars.parquet")
    (workspace / "data" / "crypto" / "eth" / "bars.parquet").symlink_to("2018-03-01-abc/bars.parquet")
    path = timing_bars_path(None, make_data("eth"), paths)
    assert path == newest / "bars.parquet"
    assert timing_bars_path(Path("mine.parquet"), make_data("eth"), paths) == workspace / "mine.parquet"
    assert read_timing_prices(path, make_data("eth")).closes.tolist() == bars["close"].tolist()


def told(raised: pytest.ExceptionInfo[DataError]) -> str:
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_hours_of_daily_bars_are_refused(make_crypto_bars: MakeBars) -> None:
    with pytest.raises(DataError) as raised:
        timing_prices_of(make_crypto_bars("ETH", 60, "1D"), make_data("eth", frequency="1h"))
    assert told(raised) == (
        "data.frequency=1h of ETH, whose bars last one day; allowed: 1d; mend: data.frequency in config/data/eth.yaml"
    )


def test_bars_of_another_coin_are_refused(make_crypto_bars: MakeBars) -> None:
    with pytest.raises(DataError) as raised:
        timing_prices_of(make_crypto_bars("ETH"), make_data())
    assert "holds ETH, not BTC" in told(raised)


def test_missing_bars_say_how_they_are_made(workspace: Path) -> None:
    data = make_data(symbol="DOGE")
    with pytest.raises(DataError) as raised:
        read_timing_prices(timing_bars_path(None, data, PathSettings(workspace=workspace)), data)
    assert "crypto/doge/bars.parquet does not exist" in told(raised)
    assert "ingest_crypto_bars.py --symbol DOGE" in told(raised)


def test_days_that_are_nowhere_complete_are_refused(make_crypto_bars: MakeBars) -> None:
    with pytest.raises(DataError) as raised:
        timing_prices_of(make_crypto_bars(count=23), make_data(frequency="1d"))
    assert "no complete day" in told(raised)


@pytest.mark.parametrize("bad", [0.0, -3.0, np.nan, np.inf])
def test_a_price_that_is_none_is_refused(bad: float) -> None:
    prices = daily_prices(16)
    prices.closes[4] = bad
    with pytest.raises(DataError) as raised:
        split_cycles(prices, make_data(**DAILY, **SHORT))
    assert f"1 x price that is missing or not positive, first {bad} at 2018-01-06" in told(raised)


@pytest.mark.parametrize(("count", "name"), [(5, "validation"), (15, "test")])
def test_a_window_without_a_cycle_is_refused(count: int, name: str) -> None:
    with pytest.raises(DataError) as raised:
        split_cycles(daily_prices(count), make_data(**DAILY, **SHORT))
    assert told(raised).startswith(f"{name} holds ")
    assert "not a single cycle; allowed: at least 4 bars without a gap" in told(raised)


def test_a_window_with_enough_bars_but_gaps_among_them_is_refused() -> None:
    with pytest.raises(DataError) as raised:
        split_cycles(daily_prices(16, gaps=(2, 5)), make_data(**DAILY, **SHORT))
    assert told(raised).startswith("train holds 5 bars of BTC (1d), gaps among them: 1, of all 16")


def test_the_shipped_windows_hold_cycles_enough_to_judge_on(real_crypto_bars: dict[str, pd.DataFrame]) -> None:
    counts = {}
    for coin in ("btc", "eth"):
        data = make_data(coin, test_end="2019-06-30")  # where a replay begins
        cycles = split_cycles(timing_prices_of(real_crypto_bars[data.symbol], data), data)
        counts[coin] = [(len(held.starts), len(consecutive(held).starts)) for held in cycles.values()]
    assert counts == {
        "btc": [(10076, 422), (2876, 120), (4292, 179)],
        "eth": [(639, 92), (118, 17), (221, 32)],
    }


def test_days_joined_from_real_hours_end_as_those_hours_do(real_crypto_bars: dict[str, pd.DataFrame]) -> None:
    bars = real_crypto_bars["BTC"]
    prices = timing_prices_of(bars, make_data(frequency="1d"))
    assert (len(prices.closes), int(prices.follows_gap.sum())) == (835, 2)
    midnights = bars[bars["timestamp"].dt.floor("1D") == bars["timestamp"]].set_index("timestamp")["close"]
    for time, close in zip(prices.times, prices.closes, strict=True):
        assert midnights[pd.Timestamp(time, tz="UTC")] == close
