"""The source `folder`: the user's own CSV, Parquet or JSONL files."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from MLOps.errors import DataError
from MLOps.market.bars import PRICES, select_sessions, select_tickers
from MLOps.market.calendars import close_instants
from MLOps.market.news import as_news, no_news
from MLOps.market.source import Origin
from MLOps.settings.ingestion import FolderSettings
from pipelines.data_ingestion.read_exact_csv import read_exact_csv

_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": read_exact_csv,
    ".gz": read_exact_csv,
    ".parquet": pd.read_parquet,
    ".jsonl": lambda path: pd.read_json(path, lines=True, convert_dates=False, precise_float=True),
}
_TRADED = (*PRICES, "volume")
_NUMBERS = (*_TRADED, "adjusted_close", "dividend", "split_ratio")
_MEND = "the files, or sources.folder.columns"


class FolderSource:
    """Bars and news of the user's own files."""

    is_local = True

    def __init__(self, settings: FolderSettings, calendar: str, bars: Path, news: Path | None) -> None:
        self._settings, self._calendar, self._bars, self._news = settings, calendar, bars, news
        self.origin = Origin("folder", settings.licence, settings.note, settings.warnings)

    def bars(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:
        frames = [_bars_of(path, self._settings.columns) for path in _files(self._bars)]
        bars = pd.concat(frames, ignore_index=True)
        if tickers:
            bars = select_tickers(bars, tickers, str(self._bars))
        bars["timestamp"] = close_instants(self._calendar, bars["session"])
        return select_sessions(bars, start, end, str(self._bars))

    def news(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:  # noqa: ARG002 - the protocol's
        """The articles of the window; they name no ticker, so `tickers` does not narrow them."""
        if self._news is None:
            return no_news()
        news = pd.concat([_news_of(path) for path in _files(self._news)], ignore_index=True)
        days = news["published_at"].dt.date
        return as_news(news[(days >= (start or date.min)) & (days <= end)], str(self._news))


def _files(path: Path) -> list[Path]:
    files = sorted(file for file in path.iterdir() if file.suffix in _READERS) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path} holds no data file", ", ".join(_READERS), "sources.folder or --bars_path")
    return files


def _read(path: Path) -> pd.DataFrame:
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise DataError(f"{path} is of no known kind", ", ".join(_READERS), "sources.folder or --bars_path")
    try:
        frame = reader(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", "a data file", "sources.folder or --bars_path") from error
    except (ValueError, OSError) as error:  # pandas and pyarrow derive their parse errors from these two
        raise DataError(f"{path} cannot be read ({' '.join(str(error).split())[:200]})", mend=_MEND) from error
    if frame.empty:
        raise DataError(f"{path} has no rows", "at least one row", _MEND)
    return frame


def _bars_of(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """One file's bars; a file without a ticker column is named after its ticker."""
    raw = _read(path)
    frame = raw.rename(columns={theirs: ours for ours, theirs in columns.items()})
    if "ticker" not in frame.columns:
        frame = frame.assign(ticker=path.name.split(".")[0])
    _check_columns(frame, raw, columns, path)
    frame["session"] = _parsed(frame, "session", lambda values: pd.to_datetime(values).astype("datetime64[us]"), path)
    for name in set(_NUMBERS) & set(frame.columns):
        frame[name] = _parsed(frame, name, lambda values: pd.to_numeric(values).astype(float), path)
    return _completed(frame)


def _check_columns(frame: pd.DataFrame, raw: pd.DataFrame, columns: Mapping[str, str], path: Path) -> None:
    """Either all of open, high, low, close and volume, or only a close."""
    held = set(frame.columns)
    needed = {"session", *_TRADED} if held & {"open", "high", "low", "volume"} else {"session"}
    missing = sorted(needed - held)
    if not held & {"close", "adjusted_close"}:
        missing.append("close")
    if missing:
        told = ", ".join(columns.get(name, name) for name in dict.fromkeys(missing))
        raise DataError(f"{path}: no column {told}", ", ".join(map(str, raw.columns)), _MEND)


def _parsed(frame: pd.DataFrame, name: str, parse: Callable[["pd.Series[str]"], pd.Series], path: Path) -> pd.Series:
    try:
        return parse(frame[name])
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: column {name} cannot be read ({str(error)[:150]})", mend=_MEND) from error


def _completed(frame: pd.DataFrame) -> pd.DataFrame:
    """The contract's other columns; without an adjusted close the close counts as adjusted already."""
    is_close_only = not set(_TRADED) <= set(frame.columns)
    if "adjusted_close" not in frame.columns:
        frame["adjusted_close"] = frame["close"]
    if is_close_only:
        frame[list(_TRADED)] = float("nan")
    frame["is_close_only"] = is_close_only
    for name, value in (("dividend", 0.0), ("split_ratio", 1.0), ("is_delisted", False)):
        if name not in frame.columns:
            frame[name] = value
    return frame


def _news_of(path: Path) -> pd.DataFrame:
    """One file's articles; a time without a clock is a date, an article without an id is numbered."""
    frame = _read(path)
    if "published_at" not in frame.columns:
        raise DataError(f"{path}: no column published_at", ", ".join(map(str, frame.columns)), _MEND)
    text = frame["published_at"].astype(str)
    published = _parsed(frame, "published_at", _instants, path)
    frame = frame.assign(published_at=published)
    numbers = pd.Series(range(len(frame)), index=frame.index).astype(str)
    defaults: dict[str, Any] = {"title": "", "text": "", "source": path.name, "article_id": numbers}
    defaults["is_date_only"] = text.str.fullmatch(r"\d{4}-\d{2}-\d{2}")
    for name in defaults.keys() - set(frame.columns):
        frame[name] = defaults[name]
    return frame


def _instants(texts: "pd.Series[str]") -> pd.Series:
    """UTC instants of times in ISO 8601; those beyond the year 2262, where pandas ends, by Python's own calendar."""
    instants = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce").astype("datetime64[us, UTC]")
    for row in texts.index[instants.isna() & texts.notna()]:
        told = datetime.fromisoformat(str(texts[row]))
        instants[row] = pd.Timestamp(told if told.tzinfo else told.replace(tzinfo=UTC))
    return instants
