"""Bars of one cryptocurrency: their contract, how they lie on disk, and where they are missing.

A row is what one coin did, against the US dollar, from `opened_at` to `timestamp`, both in UTC. Crypto
trades around the clock, so a bar opens where the one before it closes; where it does not, bars are
missing (`missing_spans`): nothing may be reckoned over such a gap as if no time had passed.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from MLOps.errors import DataError
from MLOps.parquet_contract import read_contract, write_contract

PRICES = ("open", "high", "low", "close")
SCHEMA = pa.schema(
    [
        ("timestamp", pa.timestamp("us", tz="UTC")),  # instant at which the bar closed: none of it was known before
        ("opened_at", pa.timestamp("us", tz="UTC")),  # instant at which it opened, one bar length before
        ("ticker", pa.string()),  # the coin, the same in every row
        ("open", pa.float64()),  # US dollars a coin, never NaN, like the next three
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),  # coins traded; 0 where there was no trade, and the prices are the last ones
        ("volume_usd", pa.float64()),  # US dollars traded; NaN in every row where the source does not tell it
    ]
)
COLUMNS = tuple(SCHEMA.names)
_MEND = "run pipelines/data_ingestion/ingest_crypto_bars.py"


def write_crypto_bars(bars: pd.DataFrame, path: Path) -> None:
    """Write the bars as Parquet, sorted by time; equal bars give equal bytes.

    Raises
    ------
    DataError
        If `check_crypto_bars` refuses them.
    """
    ordered = bars.sort_values("timestamp", ignore_index=True)
    check_crypto_bars(ordered, path.name)
    write_contract(ordered[list(COLUMNS)], SCHEMA, path)


def read_crypto_bars(path: Path) -> pd.DataFrame:
    """The bars of a file, sorted by time, index 0..n-1.

    Raises
    ------
    DataError
        If there is no such file, it does not follow the contract, or `check_crypto_bars` refuses it.
    """
    bars = read_contract(path, SCHEMA, "crypto bars", _MEND)
    check_crypto_bars(bars, str(path))
    return bars


def bar_length(bars: pd.DataFrame) -> pd.Timedelta:
    """Time from a bar's open to its close, the same for all of them."""
    first = bars.iloc[0]
    return pd.Timedelta(first["timestamp"] - first["opened_at"])


def check_crypto_bars(bars: pd.DataFrame, place: str = "crypto bars") -> None:
    """Refuse bars that no reader could use.

    Raises
    ------
    DataError
        If there is no row, a time is missing, rows are of several coins or lengths, out of order,
        doubled or off the grid of their length from midnight UTC on, or a price is missing or not
        positive. The message names the first such row.
    """
    if bars.empty:
        raise DataError(f"{place}: no rows", "at least one bar", _MEND)
    for fault, is_bad in _faults(bars).items():
        if is_bad.any():
            first = bars.iloc[int(is_bad.argmax())]
            raise DataError(
                f"{place}: {int(is_bad.sum())} x {fault}, first {first['ticker']} at {first['opened_at']}",
                "bars of one coin and one length, sorted by time, with positive prices",
                _MEND,
            )


def _faults(bars: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Which rows are wrong, by fault, in the order in which they are told."""
    opened, closed = _microseconds(bars["opened_at"]), _microseconds(bars["timestamp"])
    length = max(int(closed[0] - opened[0]), 1)
    prices = bars[list(PRICES)].to_numpy(dtype=np.float64)
    ticker = bars["ticker"].to_numpy(dtype=object)
    return {
        "missing time": bars[["opened_at", "timestamp"]].isna().any(axis=1).to_numpy(),
        "bar of another coin": ticker != ticker[0],
        "bar of another length": closed - opened != length,
        "duplicated bar or bar out of order": np.diff(opened, prepend=opened[0] - length) <= 0,
        "bar off the grid of its length": opened % length != 0,
        "price that is missing or not positive": ~(np.isfinite(prices) & (prices > 0)).all(axis=1),
    }


def missing_spans(bars: pd.DataFrame) -> pd.DataFrame:
    """Where bars are missing between the first and the last one.

    Returns
    -------
    DataFrame
        A row a gap: first and last (opened_at of the first and the last missing bar, UTC), and bars,
        how many are missing (int64). Empty where none is.
    """
    opened, length = bars["opened_at"], bar_length(bars)
    after = opened.diff() > length
    first, last = bars["timestamp"].shift()[after], opened[after] - length
    missing = (_microseconds(last) - _microseconds(first)) // int(length / pd.Timedelta(microseconds=1)) + 1
    return pd.DataFrame({"first": first, "last": last, "bars": missing}).reset_index(drop=True)


def _microseconds(times: "pd.Series[pd.Timestamp]") -> npt.NDArray[np.int64]:
    """(T,) int64 since 1970 in UTC."""
    return times.to_numpy(dtype="datetime64[us]").astype(np.int64)
