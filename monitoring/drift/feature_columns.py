"""Features as columns whose level does not matter: one for each feature and ticker, a row a session."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.errors import DataError
from MLOps.settings.drift import DriftSettings
from monitoring.drift.sample import Table
from monitoring.drift.scores import FloatArray

_KEYS = ["date", "tic"]
_LARGEST = 1e150  # the square of what is larger is infinite
_MEND = "run build_features again (pipelines/feature_engineering/build_features.py)"


def read_features(path: Path, settings: DriftSettings) -> Table:
    """The features of a file, as `look_at` shows them.

    Unlike `MLOps.market.panel.read_panel` it takes what it finds: missing values, missing rows, text where numbers
    were. These are what a check is there to tell.

    Raises
    ------
    DataError
        If the file is missing or unreadable, or a row has no date or ticker, or those of another.
    """
    return look_at(_read(path), settings)


def look_at(frame: pd.DataFrame, settings: DriftSettings) -> Table:
    """The features of a long table as `settings.views` look at them.

    Parameters
    ----------
    frame : DataFrame
        Columns date, tic and the features; no ticker twice on a date.

    Returns
    -------
    Table
        Columns ``<feature>.<ticker>``, or ``<feature>`` where all tickers have the same; a row a session, without
        the first ones, which have no past.

    Raises
    ------
    DataError
        If there are no more sessions than those.
    """
    if frame.empty:
        return Table(pd.DataFrame())
    days, row = np.unique(frame["date"].to_numpy(), return_inverse=True)
    tickers, column = np.unique(frame["tic"].to_numpy(dtype=str), return_inverse=True)
    is_row = np.zeros((len(days), len(tickers)), dtype=np.bool_)
    is_row[row, column] = True
    features: dict[str, FloatArray] = {}
    notes: list[str] = []
    for name in (str(name) for name in frame.columns if name not in _KEYS and settings.views.get(name) != "left_out"):
        numbers, told = _as_numbers(frame[name])
        notes += told
        features[name] = np.full((len(days), len(tickers)), np.nan)
        features[name][row, column] = numbers
    columns = {
        label: values
        for name in features
        for label, values in _named(name, _view(features, name, settings), is_row, tickers.tolist())
    }
    has_past = {"log_return", "log_relative_to_past"} & set(settings.views.values())
    past = settings.past_sessions if has_past else 0
    if len(days) <= past:
        raise DataError(
            f"features of {len(days)} sessions, of which the first {past} are only the past of the others",
            f"more than {past}",
            "more data, or past_sessions",
        )
    table = pd.DataFrame(columns, index=pd.DatetimeIndex(days))
    return Table(table.iloc[past:], tuple(notes))


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} does not exist", "a .parquet or .csv file of features", _MEND)
    try:
        frame = pd.read_csv(path, converters={"tic": str}) if path.suffix == ".csv" else pd.read_parquet(path)
        frame["date"] = pd.to_datetime(frame["date"], format="ISO8601")
        is_twice = frame.duplicated(_KEYS)
    except KeyError as error:
        raise DataError(f"{path} has no column {error}", "features with date and tic", _MEND) from error
    except (ValueError, OSError) as error:  # pandas' and Arrow's parse errors are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read: {reason}", "a .parquet or .csv file of features", _MEND) from error
    if (is_nameless := frame[_KEYS].isna().any(axis=1).to_numpy()).any():
        raise DataError(f"{path}: row {int(is_nameless.argmax())} has no date or ticker", "both in every row", _MEND)
    if is_twice.any():
        row = frame[is_twice].iloc[0]
        raise DataError(f"{path}: {row['tic']} has {row['date']:%Y-%m-%d} twice", "one row a date and ticker", _MEND)
    return frame


def _as_numbers(values: "pd.Series[Any]") -> tuple[FloatArray, list[str]]:
    """The values as float64, NaN for what is no number that can be squared, and lines about what was there instead."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    is_text = np.isnan(numbers) & values.notna().to_numpy()
    is_huge = np.isfinite(numbers) & (np.abs(numbers) > _LARGEST)
    notes = [
        f"{values.name}: {is_odd.sum()} of {len(values)} values {what}, first {values[is_odd].tolist()[0]!r}"
        for is_odd, what in ((is_text, "are no numbers"), (is_huge, f"lie beyond {_LARGEST:.0e} and count as missing"))
        if is_odd.any()
    ]
    return _bounded(numbers), notes


def _bounded(values: FloatArray) -> FloatArray:
    """The values with NaN for those whose squares are no numbers."""
    return np.where(np.abs(values) <= _LARGEST, values, np.nan)


def _view(features: Mapping[str, FloatArray], name: str, settings: DriftSettings) -> FloatArray:
    """A feature (T, N) as its view shows it; what has no logarithm, or no close to divide by, is missing."""
    values = features[name]
    view = settings.views.get(name, "as_is")
    if view == "relative_to_close" and "close" in features:
        with np.errstate(over="ignore"):
            return _bounded(values / np.where(features["close"] == 0, np.nan, features["close"]))
    if view == "log_return":
        return np.diff(_log(values), axis=0, prepend=np.nan)
    if view == "log_relative_to_past":
        return _log(values) - _log(_past_mean(values, settings.past_sessions))
    return values


def _log(values: FloatArray) -> FloatArray:
    return np.log(np.where(values > 0, values, np.nan))


def _past_mean(values: FloatArray, sessions: int) -> FloatArray:
    """(T, N) mean of the sessions before each, the present one left out; NaN where none of them has a value."""
    mean = pd.DataFrame(values).rolling(sessions, min_periods=1).mean().shift()
    return mean.to_numpy(dtype=np.float64)


def _named(
    name: str, values: FloatArray, is_row: npt.NDArray[np.bool_], tickers: Sequence[str]
) -> list[tuple[str, FloatArray]]:
    """The columns of a feature (T, N): one where all tickers with a row that day say the same, else one a ticker."""
    common = np.take_along_axis(values, is_row.argmax(axis=1)[:, None], axis=1)
    if np.array_equal(np.where(is_row, values, common), np.broadcast_to(common, values.shape), equal_nan=True):
        return [(name, common[:, 0])]
    return [(f"{name}.{ticker}", values[:, n]) for n, ticker in enumerate(tickers)]
