"""The market on which the signal-rate job is timed: the same in every format, and counted exactly."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parent / "benchmarks"
ROWS, WINDOW = 400, 5


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    import quiet_market

    quiet_market.write_csv(tmp_path / "market.csv", ROWS)
    return tmp_path / "market.csv"


def test_csv_has_the_columns_of_the_job_and_two_decimals(table: Path) -> None:
    header, first, *_ = table.read_text().splitlines()
    assert header == "timestamp,open,high,low,close,volume_btc,volume_usd"
    assert first.startswith("2017-01-01 00:00:00,40000.00,")
    prices = pd.read_csv(table, dtype=str)
    assert len(prices) == ROWS
    assert prices[["open", "high", "low", "close"]].map(lambda price: price[-3]).eq(".").all(axis=None)


def test_a_bar_holds_its_open_and_close(table: Path) -> None:
    prices = pd.read_csv(table)
    assert (prices["low"] <= prices[["open", "close"]].min(axis=1)).all()
    assert (prices["high"] >= prices[["open", "close"]].max(axis=1)).all()
    np.testing.assert_array_equal(prices["open"][1:], prices["close"][:-1])


def test_parquet_holds_the_floats_of_the_csv(table: Path, tmp_path: Path) -> None:
    import quiet_market

    quiet_market.write_parquet(tmp_path / "market.parquet", ROWS)
    written = pd.read_parquet(tmp_path / "market.parquet")
    pd.testing.assert_frame_equal(
        written.drop(columns="timestamp"), pd.read_csv(table).drop(columns="timestamp"), check_exact=True
    )


def test_signals_are_those_of_decimal_arithmetic(table: Path) -> None:
    import quiet_market

    closes = [Decimal(text) for text in pd.read_csv(table, dtype=str)["close"]]
    means = [sum(closes[row - WINDOW + 1 : row + 1]) / Decimal(WINDOW) for row in range(WINDOW - 1, ROWS)]
    expected = [False] * (WINDOW - 1) + [close > mean for close, mean in zip(closes[WINDOW - 1 :], means, strict=True)]
    signals = quiet_market.exact_signals(ROWS, WINDOW)
    assert signals.tolist() == expected
    assert any(close == mean for close, mean in zip(closes[WINDOW - 1 :], means, strict=True))  # else ties go untested


def test_count_by_blocks_is_the_count_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    import quiet_market

    monkeypatch.setattr(quiet_market, "_BLOCK_ROWS", 7)
    assert quiet_market.exact_signal_count(ROWS, WINDOW) == quiet_market.exact_signals(ROWS, WINDOW).sum()


def test_shorter_market_begins_the_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import quiet_market

    monkeypatch.setattr(quiet_market, "_BLOCK_ROWS", 64)
    few, many = (np.concatenate([block.close for block in quiet_market.blocks(rows)]) for rows in (100, ROWS))
    assert (len(few), len(many)) == (100, ROWS)
    np.testing.assert_array_equal(few, many[:100])
