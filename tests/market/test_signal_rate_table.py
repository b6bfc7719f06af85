"""Signal rates by ticker, window and period: counted exactly, never over a gap, as the signal-rate job counts them."""

import tracemalloc
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.market.scaled_decimals import from_floats
from MLOps.market.signal_rate import SignalCounter
from MLOps.market.signal_rate_table import (
    overall_rates,
    period_positions,
    rates_by_period,
    read_signal_rates,
    write_signal_rates,
)

COUNTS = ["rows", "rows_with_mean", "signals"]


def closes(
    prices: Sequence[float], ticker: str = "AAA", start: str = "2020-01-30", gaps: Sequence[int] = ()
) -> pd.DataFrame:
    """One close a day from `start` on; `gaps` are the rows before which bars are missing."""
    days = pd.date_range(start, periods=len(prices), freq="D")
    follows_gap = np.isin(np.arange(len(prices)), gaps)
    return pd.DataFrame({"ticker": ticker, "day": days, "close": np.array(prices, float), "follows_gap": follows_gap})


def test_counts_by_month_are_those_worked_out_by_hand() -> None:
    # 30 and 31 January, 1 to 4 February; means of two rows: -, 1.5, 2, 1.5, 1.5, 3
    table = rates_by_period(closes([1, 2, 2, 1, 2, 4]), [2], "month")
    assert table.to_dict("list") == {
        "ticker": ["AAA", "AAA"],
        "window": [2, 2],
        "period_start": [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-02-01")],
        "rows": [2, 4],
        "rows_with_mean": [1, 4],
        "signals": [1, 2],
        "rate": [0.5, 0.5],
    }


def test_tie_that_floating_point_takes_for_a_signal_is_none() -> None:
    frame = closes([0.1, 0.3, 0.2])
    assert (frame["close"] > frame["close"].rolling(3).mean()).sum() == 1
    assert rates_by_period(frame, [3], "year")["signals"].tolist() == [0]


def test_no_mean_spans_a_gap() -> None:
    prices = [1, 2, 3, 9, 10, 11, 12]
    whole = rates_by_period(closes(prices), [3], "year")
    broken = rates_by_period(closes(prices, gaps=[3]), [3], "year")
    assert whole[COUNTS].to_numpy().tolist() == [[7, 5, 5]]
    assert broken[COUNTS].to_numpy().tolist() == [[7, 3, 3]]  # the third, then the sixth and the seventh


def test_two_gaps_in_a_row_leave_the_row_between_them_alone() -> None:
    table = rates_by_period(closes([1, 2, 3, 4, 5], gaps=[2, 3]), [2], "year")
    assert table[COUNTS].to_numpy().tolist() == [[5, 2, 2]]


def test_window_of_one_row_never_signals() -> None:
    assert rates_by_period(closes([1, 2, 3]), [1], "year")[COUNTS].to_numpy().tolist() == [[3, 3, 0]]


def test_tickers_and_windows_do_not_touch_each_other() -> None:
    first, second = closes([1, 2, 4, 3.01]), closes([7, 5.5, 6, 8], ticker="BBB")
    together = rates_by_period(pd.concat([first, second]).sort_values(["day", "ticker"]), [3, 2], "month")
    alone = [rates_by_period(of, [window], "month") for of in (first, second) for window in (2, 3)]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))


def test_ticker_without_a_mean_is_left_out_of_that_window() -> None:
    frame = pd.concat([closes([1, 2, 3]), closes([1, 2], ticker="NEW"), closes([1, 2, 3], ticker="OFF", gaps=[1])])
    table = rates_by_period(frame, [2, 3], "year")
    assert list(zip(table["ticker"], table["window"], strict=True)) == [
        *(("AAA", 2), ("AAA", 3), ("NEW", 2)),
        ("OFF", 2),
    ]


@pytest.mark.parametrize(("frame", "longest"), [(closes([1, 2, 3]), 3), (closes([]), 0)], ids=["short", "empty"])
def test_windows_that_fit_into_no_ticker_are_told(frame: pd.DataFrame, longest: int) -> None:
    with pytest.raises(DataError, match=rf"windows=\[4, 9\].*the longest has {longest} in all"):
        rates_by_period(frame, [4, 9], "month")


def test_memory_does_not_grow_with_the_windows() -> None:
    frame = closes(np.tile([1.0, 2, 2, 1, 4], 4_000))

    def peak_bytes(windows: Sequence[int]) -> int:
        tracemalloc.start()
        rates_by_period(frame, windows, "year")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes([1])  # what pandas imports and keeps at its first use
    assert peak_bytes(range(1, 17)) < 1.5 * peak_bytes([1, 2])


def test_positions_count_empty_periods_too() -> None:
    late = closes([1, 2], ticker="BBB", start="2020-12-31")
    table = rates_by_period(pd.concat([closes([1, 2]), late]), [1], "quarter")
    assert period_positions(table, "quarter").tolist() == [0, 3, 4]
    assert table["period_start"].dt.strftime("%Y-%m").tolist() == ["2020-01", "2020-10", "2021-01"]


def test_written_table_is_read_back_and_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    table = rates_by_period(closes([1, 2, 2, 1, 2, 4]), [2, 3], "month")
    for name in ("one", "two"):
        write_signal_rates(table, tmp_path / name)
    pd.testing.assert_frame_equal(read_signal_rates(tmp_path / "one"), table, check_dtype=False)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


prices = st.lists(st.integers(0, 30).map(lambda cents: cents / 100), min_size=1, max_size=120)


@given(prices, st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_sum_over_the_periods_is_what_the_job_counts(dollars: list[float], window: int) -> None:
    assume(window <= len(dollars))
    counter = SignalCounter(window)
    counter.add(from_floats(np.array(dollars)))
    (overall,) = overall_rates(rates_by_period(closes(dollars), [window], "month")).itertuples()
    assert (overall.rows, overall.signals, overall.rate) == (counter.rows, counter.signals, counter.rate)


@given(prices, st.integers(1, 6), st.sets(st.integers(1, 119), max_size=4))
@settings(max_examples=30, deadline=None)
def test_signals_are_those_of_exact_fractions_between_the_gaps(
    dollars: list[float], window: int, gaps: set[int]
) -> None:
    exact = [Fraction(round(100 * price), 100) for price in dollars]
    windows = [range(last - window + 1, last + 1) for last in range(window - 1, len(exact))]
    whole = [rows for rows in windows if not gaps.intersection(rows[1:])]
    assume(whole)
    above = [exact[rows[-1]] > sum(exact[row] for row in rows) / window for rows in whole]
    (overall,) = overall_rates(rates_by_period(closes(dollars, gaps=sorted(gaps)), [window], "year")).itertuples()
    assert (overall.rows_with_mean, overall.signals) == (len(whole), sum(above))
