"""The market as arrays over (sessions, tickers): what agents see and backtests trade on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from MLOps.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
_MEND = "run build_features again (pipelines/feature_engineering/build_features.py)"


@dataclass(frozen=True)
class MarketPanel:
    """T sessions of N tickers with F features each; row t holds only what is known at t's close.

    Attributes
    ----------
    dates : (T,) datetime64[D]
        Sessions, ascending and unique.
    tickers : tuple of N str
        In alphabetical order.
    close : (T, N) float64
        Adjusted closing prices in the quote currency, finite and positive.
    features : (T, N, F) float64
        Finite, no NaN.
    feature_names : tuple of F str
    turbulence : (T,) float64
        Squared Mahalanobis distance of the session's returns (MLOps/market/turbulence.py).
    volume : (T, N) float64, optional
        Shares traded in the session, NaN where not known; None where only closes are. Who needs it checks it.
    """

    dates: npt.NDArray[np.datetime64]
    tickers: tuple[str, ...]
    close: FloatArray
    features: FloatArray
    feature_names: tuple[str, ...]
    turbulence: FloatArray
    volume: FloatArray | None = None

    def __post_init__(self) -> None:
        sessions, names = (len(self.dates), len(self.tickers)), len(self.feature_names)
        assert self.dates.dtype == np.dtype("datetime64[D]"), self.dates.dtype
        assert self.close.shape == sessions, (self.close.shape, sessions)
        assert self.features.shape == (*sessions, names), (self.features.shape, sessions, names)
        assert self.turbulence.shape == self.dates.shape, self.turbulence.shape
        assert self.volume is None or self.volume.shape == sessions, (self.volume.shape, sessions)

    def window(self, start: int, stop: int) -> "MarketPanel":
        """The rows ``start <= t < stop``, as views.

        Raises
        ------
        DataError
            If the window is empty or reaches beyond the panel.
        """
        if not 0 <= start < stop <= len(self.dates):
            raise DataError(f"window of rows {start}:{stop}", f"a part of 0:{len(self.dates)} with at least one row")
        return replace(
            self,
            dates=self.dates[start:stop],
            close=self.close[start:stop],
            features=self.features[start:stop],
            turbulence=self.turbulence[start:stop],
            volume=None if self.volume is None else self.volume[start:stop],
        )

    def select(self, tickers: Sequence[str]) -> "MarketPanel":
        """Only these tickers, as copies, in the panel's order.

        Raises
        ------
        DataError
            If the panel does not hold one of them.
        """
        columns = self.columns_of(tickers)
        return replace(
            self,
            tickers=tuple(self.tickers[column] for column in columns),
            close=self.close[:, columns],
            features=self.features[:, columns],
            volume=None if self.volume is None else self.volume[:, columns],
        )

    def columns_of(self, tickers: Sequence[str]) -> list[int]:
        """Positions of these tickers among the panel's, ascending.

        Raises
        ------
        DataError
            If the panel does not hold one of them.
        """
        if unknown := sorted(set(tickers) - set(self.tickers)):
            raise DataError(
                f"no ticker {', '.join(unknown)} in the data", ", ".join(self.tickers), "the list of tickers"
            )
        return sorted(self.tickers.index(ticker) for ticker in tickers)

    def rows_between(self, first: date, last: date) -> slice:
        """Row positions of the sessions from `first` to `last`, both included.

        Raises
        ------
        DataError
            If no session lies in between.
        """
        start = int(np.searchsorted(self.dates, np.datetime64(first, "D"), side="left"))
        stop = int(np.searchsorted(self.dates, np.datetime64(last, "D"), side="right"))
        if start >= stop:
            held = f"{self.dates[0]} to {self.dates[-1]}" if len(self.dates) else "none"
            raise DataError(f"no session between {first} and {last}", f"dates within the data: {held}")
        return slice(start, stop)

    def to_frame(self) -> "pd.DataFrame":
        """FinRL's long frame: date, tic, close, the features, turbulence; the index counts the sessions."""
        import pandas as pd

        sessions, tickers = self.close.shape
        columns: dict[str, Any] = {
            "date": np.repeat(self.dates.astype("datetime64[ns]"), tickers),
            "tic": np.tile(np.array(self.tickers, dtype=object), sessions),
            "close": self.close.ravel(),
        }
        columns |= {name: self.features[:, :, f].ravel() for f, name in enumerate(self.feature_names)}
        columns["turbulence"] = np.repeat(self.turbulence, tickers)
        return pd.DataFrame(columns, index=np.repeat(np.arange(sessions), tickers))


def read_panel(path: Path, feature_names: tuple[str, ...], tickers: tuple[str, ...] | None = None) -> MarketPanel:
    """Read a features file, Parquet or CSV by its suffix.

    Parameters
    ----------
    path : Path
        Made by build_features: sorted by (date, tic), every date with every ticker.
    feature_names : tuple of str
        Columns that become ``features``, in this order.
    tickers : tuple of str, optional
        Keep only these; all by default.

    Raises
    ------
    DataError
        If the file is missing, unreadable or empty; a column or ticker is missing; a date is
        malformed, duplicated or out of order; a date lacks a ticker; a number is not finite, or a
        close is not positive.
    """
    frame = _read_frame(path)
    required = ["date", "tic", "close", *feature_names, "turbulence"]
    if missing := [name for name in dict.fromkeys(required) if name not in frame.columns]:
        raise DataError(f"{path} lacks the columns {missing}", f"columns it has: {list(frame.columns)}", _MEND)
    if frame.empty:
        raise DataError(f"{path} holds no rows", "at least one session", _MEND)
    if tickers is not None:
        frame = _only(frame, tickers, path)
    dates, names = _check_order(frame, path)
    shape = (len(dates), len(names))
    close = _numbers(frame, "close", path).reshape(shape)
    if not (close > 0).all():
        t, n = (int(i[0]) for i in np.nonzero(close <= 0))
        raise DataError(f"{path}: close of {names[n]} on {dates[t]} is {close[t, n]}", "a positive price", _MEND)
    features = np.empty((*shape, len(feature_names)))
    for f, name in enumerate(feature_names):
        features[:, :, f] = _numbers(frame, name, path).reshape(shape)
    turbulence = _numbers(frame, "turbulence", path).reshape(shape)[:, 0].copy()
    volume = _as_floats(frame, "volume", path).reshape(shape) if "volume" in frame else None
    return MarketPanel(dates, names, close, features, tuple(feature_names), turbulence, volume)


def _read_frame(path: Path) -> "pd.DataFrame":
    import pandas as pd

    if not path.is_file():
        raise DataError(f"{path} does not exist", "an existing .parquet or .csv file", _MEND)
    try:
        if path.suffix == ".csv":
            # a converter, for "NA" is a ticker; round_trip, for the default parser is off by the last bit
            frame = pd.read_csv(path, converters={"tic": str}, float_precision="round_trip")
        else:
            frame = pd.read_parquet(path)
        if "date" in frame:
            frame["date"] = pd.to_datetime(frame["date"])
    except (ValueError, OSError) as error:  # pandas' and Arrow's parse errors are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read: {reason}", "a .parquet or .csv file of features", _MEND) from error
    return frame


def _only(frame: "pd.DataFrame", tickers: tuple[str, ...], path: Path) -> "pd.DataFrame":
    held = sorted(frame["tic"].unique())
    if unknown := sorted(set(tickers) - set(held)):
        raise DataError(f"{path} holds no ticker {', '.join(unknown)}", ", ".join(held), "the list of tickers")
    return frame[frame["tic"].isin(tickers)]


def _check_order(frame: "pd.DataFrame", path: Path) -> tuple[npt.NDArray[np.datetime64], tuple[str, ...]]:
    """The dates (T,) and tickers (N) of a frame that is sorted, unique and complete."""
    days = frame["date"].to_numpy().astype("datetime64[D]")
    if (absent := np.isnat(days) | frame["tic"].isna().to_numpy()).any():
        raise DataError(f"{path}: row {int(absent.argmax())} has no date or ticker", "both in every row", _MEND)
    back = np.nonzero(np.diff(days) < np.timedelta64(0, "D"))[0]
    if back.size:
        raise DataError(f"{path}: {days[back[0] + 1]} comes after {days[back[0]]}", "ascending dates", _MEND)
    if (twice := frame.duplicated(["date", "tic"])).any():
        row = frame[twice].iloc[0]
        raise DataError(f"{path}: {row['tic']} has {row['date']:%Y-%m-%d} twice", "one row a date and ticker", _MEND)
    dates, names = np.unique(days), sorted(frame["tic"].unique())
    counts = frame.groupby("tic")["date"].size()
    for ticker in names:
        if counts[ticker] < len(dates):
            held = frame.loc[frame["tic"] == ticker, "date"].to_numpy().astype("datetime64[D]")
            gaps = np.setdiff1d(dates, held)
            raise DataError(f"{path}: {ticker} lacks {gaps[0]} ({len(gaps)} dates)", "every ticker daily", _MEND)
    if not (frame["tic"].to_numpy(dtype=object).reshape(-1, len(names)) == np.array(names, dtype=object)).all():
        raise DataError(f"{path}: tickers of a date are out of order", "rows sorted by (date, tic)", _MEND)
    return dates, tuple(str(name) for name in names)


def _numbers(frame: "pd.DataFrame", column: str, path: Path) -> FloatArray:
    """A column as float64, every value finite."""
    values = _as_floats(frame, column, path)
    if (bad := ~np.isfinite(values)).any():
        row = frame.iloc[int(bad.argmax())]
        raise DataError(
            f"{path}: {column} of {row['tic']} on {row['date']:%Y-%m-%d} is {row[column]} ({int(bad.sum())} such rows)",
            "finite numbers",
            _MEND,
        )
    return values


def _as_floats(frame: "pd.DataFrame", column: str, path: Path) -> FloatArray:
    """A column as float64, NaN where there is nothing."""
    try:
        values: FloatArray = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: column {column} holds {frame[column].dtype}", "numbers", _MEND) from error
    return values
