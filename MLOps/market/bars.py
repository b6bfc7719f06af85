"""Daily bars: their contract, and how they lie on disk.

A row is what one ticker did in one exchange session. Raw prices are those that were traded;
`adjusted_close` is scaled back for the splits and dividends known when the data was fetched, so that
its returns are total returns. (Some sources give prices that are scaled for splits as raw ones; their
split ratios are 1.) The scale of the past changes with every later dividend, its returns
do not: use ratios of adjusted closes, never their level (see adjustment.py).
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from MLOps.errors import DataError

PRICES = ("open", "high", "low", "close")
SCHEMA = pa.schema(
    [
        ("timestamp", pa.timestamp("us", tz="UTC")),  # instant at which the session closed
        ("session", pa.timestamp("us")),  # the exchange's date, at midnight, without time zone
        ("ticker", pa.string()),
        ("open", pa.float64()),  # raw, in the quote currency; NaN where close-only, like the next four
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),  # shares
        ("adjusted_close", pa.float64()),  # never NaN
        ("dividend", pa.float64()),  # cash a share on its ex-date, 0 if none is recorded
        ("split_ratio", pa.float64()),  # new shares for one old share on the ex-date, 1 if none is recorded
        ("is_close_only", pa.bool_()),  # only `adjusted_close` is known
        ("is_delisted", pa.bool_()),  # the last bar of a ticker that left the exchange
    ]
)
COLUMNS = tuple(SCHEMA.names)
_MEND = "run pipelines/data_ingestion/data_ingestion_pipeline.py"


def as_bars(frame: pd.DataFrame, place: str = "bars") -> pd.DataFrame:
    """`frame` with the contract's columns, types and order of rows, index 0..n-1.

    Raises
    ------
    DataError
        If a column is missing or cannot be read as its type.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(f"{place}: no column {', '.join(missing)}", ", ".join(COLUMNS), _MEND)
    try:
        table = pa.Table.from_pandas(frame[list(COLUMNS)], schema=SCHEMA, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{place}: {error}", "the types of MLOps/market/bars.py", _MEND) from error
    return _frame(table).sort_values(["session", "ticker"], kind="stable", ignore_index=True)


def write_bars(bars: pd.DataFrame, folder: Path) -> dict[int, Path]:
    """Write one Parquet file a year, ``<year>.parquet``; equal bars give equal bytes.

    Returns
    -------
    dict of int to Path
        The file of each year.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for year, rows in bars.groupby(bars["session"].dt.year):
        files[int(str(year))] = path = folder / f"{year}.parquet"
        table = pa.Table.from_pandas(rows[list(COLUMNS)], schema=SCHEMA, preserve_index=False)
        pq.write_table(table, path, compression="zstd")
    return files


def read_bars(path: Path, tickers: Sequence[str] | None = None) -> pd.DataFrame:
    """The bars of a folder of year files, or of one Parquet file, sorted by session and ticker.

    Parameters
    ----------
    path : Path
        What `write_bars` wrote.
    tickers : sequence of str, optional
        Keep these only.

    Raises
    ------
    DataError
        If nothing is there, a file is no Parquet file of this contract, a row is doubled or out of
        order, an adjusted close is missing, or a ticker is unknown.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError(f"{path} holds no bars", "a folder of <year>.parquet files", _MEND)
    bars = pd.concat([_read_file(file) for file in files], ignore_index=True)
    check_bars(bars, str(path))
    return bars if tickers is None else select_tickers(bars, tickers, str(path))


def _read_file(path: Path) -> pd.DataFrame:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a Parquet file: {error}", "bars in Parquet", _MEND) from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}", ", ".join(COLUMNS), _MEND)
    return _frame(table.select(list(COLUMNS)).cast(SCHEMA))


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype({"timestamp": "datetime64[us, UTC]", "session": "datetime64[us]"})


def check_bars(bars: pd.DataFrame, place: str = "bars") -> None:
    """Refuse bars that no reader could use.

    Raises
    ------
    DataError
        If there is no row, a session is doubled for a ticker, rows are out of order, or an adjusted
        close is missing. The message names the first such row.
    """
    if bars.empty:
        raise DataError(f"{place}: no rows", "at least one bar", _MEND)
    keys = bars[["session", "ticker"]]
    ordered = keys.sort_values(["session", "ticker"], kind="stable")
    faults = {
        "duplicated row": keys.duplicated(),
        "row out of order": pd.Series(ordered.index != bars.index, index=bars.index),
        "missing adjusted_close": bars["adjusted_close"].isna(),
    }
    for fault, is_bad in faults.items():
        if is_bad.any():
            row = bars.loc[is_bad.idxmax()]
            raise DataError(
                f"{place}: {int(is_bad.sum())} x {fault}, first {row['ticker']} on {row['session']:%Y-%m-%d}",
                "one complete row a session and ticker, sorted by session and ticker",
                _MEND,
            )


def select_tickers(bars: pd.DataFrame, tickers: Sequence[str], place: str = "bars") -> pd.DataFrame:
    """The rows of `tickers`.

    Raises
    ------
    DataError
        If a ticker has no bar.
    """
    known = sorted(bars["ticker"].unique())
    unknown = sorted(set(tickers) - set(known))
    if unknown:
        raise DataError(f"{place}: unknown ticker {', '.join(unknown)}", ", ".join(known), "the setting `tickers`")
    return bars[bars["ticker"].isin(tickers)].reset_index(drop=True)


def select_sessions(bars: pd.DataFrame, start: date | None, end: date, place: str = "bars") -> pd.DataFrame:
    """The rows from `start` (the first one, if None) to `end`, both included.

    Raises
    ------
    DataError
        If there is none.
    """
    days = bars["session"].dt.date
    window: pd.DataFrame = bars[(days <= end) & (days >= (start or date.min))]
    if window.empty:
        held = f"{days.min()} to {days.max()}" if len(bars) else "no bar at all"
        raise DataError(f"{place}: no bar from {start or 'the beginning'} to {end}", held, "data.start or data.as_of")
    return window.reset_index(drop=True)
