"""Crypto bars out of a DataFrame that somebody else made."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.errors import DataError
from MLOps.market.crypto_bars import COLUMNS, PRICES, check_crypto_bars
from MLOps.settings.bar_frequency import BAR_LENGTHS
from MLOps.settings.crypto_pickle import ConvertCryptoPickleSettings, TimeUnit

_EARLIEST, _LATEST = pd.Timestamp("1678-01-01", tz="UTC"), pd.Timestamp("2262-01-01", tz="UTC")  # pandas' whole years
_SPAN = "the years 1678 to 2261"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}.*")


def frame_to_crypto_bars(frame: pd.DataFrame, settings: ConvertCryptoPickleSettings, place: str) -> pd.DataFrame:
    """The bars of a frame, by the contract in crypto_bars.py, sorted by time.

    Parameters
    ----------
    frame : DataFrame
        A row a bar, in any order; instants with a time zone in UTC.
    settings : ConvertCryptoPickleSettings
        Coin, length, columns, and how times are written.
    place : str
        The file, for the errors.

    Raises
    ------
    DataError
        If a column is missing, holds what is no number or no time, or the bars break the contract, lie at other
        distances than `frequency`, or have a price outside of their range.
    """
    columns, length = settings.columns, pd.Timedelta(BAR_LENGTHS[settings.frequency])
    if frame.empty:
        raise DataError(f"{place} holds no row", "at least one bar", "pickle_path")
    close = _numbers(frame, columns.close, "close", place)
    given = {name: getattr(columns, name) for name in ("open", "high", "low", "volume", "volume_usd")}
    told = {name: _numbers(frame, column, name, place) for name, column in given.items() if column is not None}
    opened, closed = _times(frame, settings, length, place)
    bars = pd.DataFrame({"opened_at": opened, "timestamp": closed, "ticker": settings.symbol, "close": close})
    for name in given:
        bars[name] = told.get(name, close if name in PRICES else np.nan)
    bars = bars[list(COLUMNS)].sort_values("timestamp", ignore_index=True)
    _check(bars, length, settings.frequency, place)
    return bars


def _check(bars: pd.DataFrame, length: pd.Timedelta, frequency: str, place: str) -> None:
    steps = np.diff(bars["opened_at"].to_numpy(dtype="datetime64[us]"))
    if len(steps) and (usual := pd.Timedelta(np.median(steps))) > length:
        raise DataError(
            f"{place}: most rows lie {usual.isoformat()} apart", f"bars of frequency={frequency}", "frequency"
        )
    check_crypto_bars(bars, place)
    prices = bars[list(PRICES)].to_numpy(dtype=np.float64)
    is_odd = (bars["low"] > prices.min(axis=1)) | (bars["high"] < prices.max(axis=1))
    is_odd |= (bars[["volume", "volume_usd"]] < 0).any(axis=1)
    if is_odd.any():
        raise DataError(
            f"{place}: {int(is_odd.sum())} x price outside of low and high, or volume below 0, "
            f"first at {bars['opened_at'][int(is_odd.argmax())]}",
            "low <= open, close <= high, and volumes of 0 or more",
            "the file, or columns.*",
        )


def _column(frame: pd.DataFrame, wanted: str, name: str, place: str) -> "pd.Series[Any]":
    found = [column for column in frame.columns if str(column).lower() == wanted.lower()]
    if len(found) != 1:
        held = ", ".join(str(column) for column in frame.columns[:20])
        allowed = "the name of the one that holds it" + ("" if name in ("close", "time") else ", or null")
        raise DataError(f"{place} holds {len(found)} columns {wanted}, but {held}", allowed, f"columns.{name}")
    column: pd.Series[Any] = frame[found[0]]
    return column


def _numbers(frame: pd.DataFrame, wanted: str, name: str, place: str) -> npt.NDArray[np.float64]:
    column = _column(frame, wanted, name, place)
    if column.dtype.kind not in "iufO":
        raise DataError(f"{place}: {wanted} holds {column.dtype}", "numbers", f"columns.{name}")
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: {wanted} holds what is no number ({error})", "numbers", f"columns.{name}") from error


def _times(
    frame: pd.DataFrame, settings: ConvertCryptoPickleSettings, length: pd.Timedelta, place: str
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """When the bars open and close, in UTC and the order of the frame."""
    name = settings.columns.time
    values = pd.Index(frame.index if name is None else _column(frame, name, "time", place))
    what = "its index" if name is None else name
    is_number, unit = values.dtype.kind in "iuf", settings.time_unit
    if is_number != (unit is not None):
        held = f"{values.dtype} ({values[0]!r:.40}, ...)"
        raise DataError(
            f"{place}: {what} holds {held} with time_unit={unit or 'null'}",
            "dates or texts with null; numbers since 1970 with their unit",
            "columns.time, the column that holds the times, or time_unit",
        )
    try:
        times = _read_times(values, unit)
        if times.min() < _EARLIEST or times.max() >= _LATEST:
            raise ValueError(f"{times.min()} to {times.max()}, outside of {_SPAN}")
        return (times, times + length) if settings.times_tell == "opening" else (times - length, times)
    except (OverflowError, TypeError, ValueError) as error:
        line = " ".join(str(error).split())[:160]
        raise DataError(
            f"{place}: {what} holds what is no time ({line})", "times of bars", "columns.time or time_unit"
        ) from error


def _read_times(values: "pd.Index[Any]", unit: TimeUnit | None) -> pd.DatetimeIndex:
    if values.dtype.kind in "iu":  # floats lose microseconds, integers do not
        factor = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}[unit or "us"]
        numbers = values.to_numpy()
        for number in (int(numbers.min()), int(numbers.max())):
            microseconds = number // 1000 if unit == "ns" else number * factor  # of any size, unlike int64
            if not _EARLIEST.value <= microseconds * 1000 < _LATEST.value:
                raise ValueError(f"{number} in {unit}, outside of {_SPAN}")
        numbers = numbers.astype(np.int64)
        exact = numbers // 1000 if unit == "ns" else numbers * factor
        return pd.DatetimeIndex(exact.astype("datetime64[us]"), tz="UTC")
    if values.dtype.kind == "f":
        return pd.DatetimeIndex(pd.to_datetime(values, unit=unit, utc=True)).as_unit("us")
    if values.dtype == object:
        odd = next((value for value in values if not (type(value) is str and _ISO.fullmatch(value))), None)
        if odd is not None:
            raise ValueError(f"{odd!r:.40}, but not YYYY-MM-DD with or without a time")
        return pd.DatetimeIndex(pd.to_datetime(values, format="ISO8601", utc=True)).as_unit("us")
    times = pd.DatetimeIndex(values)
    return (times.tz_localize("UTC") if times.tz is None else times.tz_convert("UTC")).as_unit("us")
