"""Signal rates by ticker, window and calendar period: how they are counted, and how they lie on disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from MLOps.errors import DataError
from MLOps.market.scaled_decimals import from_floats
from MLOps.market.signal_rate import signals
from MLOps.parquet_contract import read_contract, write_contract
from MLOps.settings.signal_rates import Period

BoolArray = npt.NDArray[np.bool_]

SCHEMA = pa.schema(
    [
        ("ticker", pa.string()),
        ("window", pa.int32()),  # rows of the rolling mean
        ("period_start", pa.timestamp("us")),  # first day of the month, quarter or year, without time zone
        ("rows", pa.int64()),  # bars of the period, at least 1
        ("rows_with_mean", pa.int64()),  # of them, those whose window is full and spans no gap
        ("signals", pa.int64()),  # of those, the ones whose close lies above the mean
        ("rate", pa.float64()),  # signals / rows: rows without a mean count as rows without a signal
    ]
)
_KEYS = ["ticker", "window", "period_start"]
_FREQUENCIES: dict[Period, str] = {"month": "M", "quarter": "Q", "year": "Y"}


def rates_by_period(closes: pd.DataFrame, windows: Sequence[int], period: Period) -> pd.DataFrame:
    """Count the signals of each ticker, window and period.

    Whether a row is a signal is known at its own close, and the same whatever is measured beside it.

    Parameters
    ----------
    closes : DataFrame
        Columns ticker (str), day (datetime64, without time zone), close (float64, taken as the decimal
        that ``repr`` writes) and follows_gap (bool: no mean may hold both this row and the one before it,
        as bars are missing between them, or a split lies there); the rows of a ticker in the order of time.
    windows : sequence of int
        Rows of each rolling mean, at least 1. A mean is that of rows without a gap between them: the
        first ``window - 1`` rows of a ticker, and those after a gap, have none and give no signal.
    period : str
        month, quarter or year.

    Returns
    -------
    DataFrame
        Columns of `SCHEMA`, sorted by its first three. A ticker is left out of a window for which it has
        no mean at all.

    Raises
    ------
    DataError
        If no ticker has as many rows in a row as the shortest window.
    """
    counts = [
        of_window.assign(ticker=ticker)
        for ticker, rows in closes.groupby("ticker")
        for of_window in _counts(rows, windows, period)
    ]
    if not counts:
        longest = int(closes.groupby("ticker").size().max()) if len(closes) else 0
        raise DataError(
            f"windows={list(windows)}; no ticker has so many bars without a gap, the longest has {longest} in all",
            "a window that fits into the bars",
            "the setting windows, or more bars",
        )
    table = pd.concat(counts).sort_values(_KEYS, ignore_index=True)
    table["rate"] = table["signals"] / table["rows"]
    ordered: pd.DataFrame = table[SCHEMA.names]
    return ordered


def _counts(rows: pd.DataFrame, windows: Sequence[int], period: Period) -> Iterator[pd.DataFrame]:
    """For each window with a mean: a row a period of one ticker, counted before the next window is judged."""
    closes = from_floats(rows["close"].to_numpy(dtype=np.float64))
    since_gap = _rows_since_gap(rows["follows_gap"].to_numpy(dtype=np.bool_))
    starts = rows["day"].dt.to_period(_FREQUENCIES[period]).dt.start_time.to_numpy()
    for window in windows:
        has_mean = since_gap >= window - 1
        if has_mean.any():
            judged = {"rows": True, "rows_with_mean": has_mean, "signals": signals(closes, window) & has_mean}
            counts = pd.DataFrame(judged).groupby(starts).sum()
            yield counts.rename_axis("period_start").reset_index().assign(window=window)


def _rows_since_gap(follows_gap: BoolArray) -> npt.NDArray[np.intp]:
    """(T,) how many rows lie between each row and the last gap before it, or the first row."""
    positions = np.arange(len(follows_gap))
    return positions - np.maximum.accumulate(np.where(follows_gap, positions, 0))


def overall_rates(table: pd.DataFrame) -> pd.DataFrame:
    """The rates over all periods.

    Parameters
    ----------
    table : DataFrame
        What `rates_by_period` gives.

    Returns
    -------
    DataFrame
        The same columns without period_start, a row a ticker and window.
    """
    sums = table.groupby(["ticker", "window"])[["rows", "rows_with_mean", "signals"]].sum()
    return sums.assign(rate=sums["signals"] / sums["rows"]).reset_index()


def period_positions(table: pd.DataFrame, period: Period) -> npt.NDArray[np.int64]:
    """(R,) int64 how many periods after the table's first one each row's period lies; empty ones count."""
    periods = pd.PeriodIndex(table["period_start"], freq=_FREQUENCIES[period])
    positions: npt.NDArray[np.int64] = periods.to_numpy(dtype=np.int64) - periods.min().ordinal
    return positions


def write_signal_rates(table: pd.DataFrame, path: Path) -> None:
    """Write the table as Parquet; equal tables give equal bytes."""
    write_contract(table, SCHEMA, path)


def read_signal_rates(path: Path) -> pd.DataFrame:
    """The table of a file; raises as `MLOps.parquet_contract.read_contract` does."""
    return read_contract(path, SCHEMA, "signal rates", "run pipelines/signal_rate/measure_signal_rates.py")
