"""Bring the bars and news of the last snapshot up to date, fetching and writing only what is new."""

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from MLOps.artifacts import RESULT_FILE, read_result
from MLOps.market.bars import COLUMNS, as_bars, read_bars, write_bars
from MLOps.market.news import as_news, read_news
from MLOps.market.source import DataSource

_LOG = logging.getLogger(__name__)
_KEYS = ["session", "ticker"]


@dataclass(frozen=True)
class Snapshot:
    """An output folder of an earlier run over the same series."""

    folder: Path
    as_of: date

    @property
    def bars(self) -> Path:
        return self.folder / "bars"

    @property
    def news(self) -> Path:
        return self.folder / "news.parquet"


@dataclass(frozen=True)
class Update:
    """Bars in the source's order, and how they came about."""

    bars: pd.DataFrame
    fetched_rows: int
    restated_rows: int


def last_snapshot(root: Path, series: str, as_of: date) -> Snapshot | None:
    """The newest whole snapshot of `series` that is not later than `as_of`."""
    found: list[Snapshot] = []
    for file in root.glob(f"[0-9]*/{RESULT_FILE}"):
        details = json.loads(file.read_bytes())["details"]
        session = date.fromisoformat(str(details["as_of"]))
        if details["series"] == series and session <= as_of:
            found.append(Snapshot(file.parent, session))
    found.sort(key=lambda snapshot: (snapshot.as_of, snapshot.folder.name), reverse=True)
    return next((snapshot for snapshot in found if read_result(snapshot.folder)), None)


def update_bars(
    source: DataSource,
    tickers: Sequence[str],
    start: date | None,
    as_of: date,
    last: Snapshot | None,
    overlap_sessions: int,
) -> Update:
    """All bars up to `as_of`.

    From a network source only the sessions after the last snapshot are fetched, with an overlap; if
    the overlap differs from the snapshot, the source restated its history, and all of it is fetched
    anew. A local source is read whole every time. What changed is told in the log.
    """
    if last is None:
        bars = source.bars(tickers, start, as_of)
        return Update(bars, len(bars), 0)
    known = read_bars(last.bars)
    if not source.is_local:
        appended = _appended(source, tickers, as_of, known, overlap_sessions)
        if appended is not None:
            return appended
        _LOG.warning("the overlap differs from %s: fetching all of the history again", last.folder.name)
    bars = source.bars(tickers, start, as_of)
    changed = _restated(known, bars)
    if changed.empty:
        return Update(bars, int((bars["session"] > known["session"].max()).sum()), 0)
    _LOG.warning(
        "%s restated history since %s: %s", source.origin.source, last.folder.name, _diff(known, bars, changed)
    )
    return Update(bars, len(bars), len(changed))


def _appended(
    source: DataSource, tickers: Sequence[str], as_of: date, known: pd.DataFrame, overlap_sessions: int
) -> Update | None:
    """`known` and what came after it; None if the overlap was restated."""
    sessions = known["session"].drop_duplicates().nlargest(overlap_sessions + 1)
    # One session more than is compared: its row may lack what is inferred from the day before.
    fetched = source.bars(tickers, sessions.min().date(), as_of)
    overlap_from = sessions.nlargest(overlap_sessions).min()
    compared = fetched[fetched["session"] >= overlap_from]
    if not _restated(known[known["session"] >= overlap_from], compared).empty:
        return None
    fresh = fetched[fetched["session"] > known["session"].max()]
    bars = pd.concat([known, fresh[list(COLUMNS)]], ignore_index=True)
    return Update(bars, len(fresh), 0)


def _restated(known: pd.DataFrame, bars: pd.DataFrame) -> pd.MultiIndex:
    """Keys of the rows of `known` that are absent from `bars` or differ there, and of rows inserted before its end."""
    old = known.set_index(_KEYS)[list(COLUMNS[3:])]
    upto = bars[bars["session"] <= known["session"].max()].drop_duplicates(_KEYS)
    new = upto.set_index(_KEYS)[list(COLUMNS[3:])]
    keys = pd.MultiIndex.from_tuples(old.index.union(new.index), names=_KEYS)
    old, new = old.reindex(keys), new.reindex(keys)
    is_same = ((old == new) | (old.isna() & new.isna())).all(axis=1)
    changed: pd.MultiIndex = keys[~is_same.to_numpy()]
    return changed


def _diff(known: pd.DataFrame, bars: pd.DataFrame, changed: pd.MultiIndex) -> str:
    """One line: how many rows, of which tickers, from when to when, by how much at most."""
    sessions, tickers = changed.get_level_values("session"), changed.get_level_values("ticker")
    old, new = (
        frame.drop_duplicates(_KEYS).set_index(_KEYS)["adjusted_close"].reindex(changed) for frame in (known, bars)
    )
    largest = (new / old - 1).abs().max()
    return (
        f"{len(changed)} rows of {', '.join(sorted(set(tickers)))}, {sessions.min():%Y-%m-%d} to "
        f"{sessions.max():%Y-%m-%d}, {int(new.isna().sum())} removed, {int(old.isna().sum())} added, "
        f"adjusted_close by up to {largest:.4%}"
    )


def update_news(
    source: DataSource, tickers: Sequence[str], start: date | None, as_of: date, last: Snapshot | None
) -> pd.DataFrame:
    """All news up to `as_of`; from a network source, the days since the last snapshot are fetched and added."""
    if last is None or source.is_local or not last.news.is_file():
        return source.news(tickers, start, as_of)
    return as_news(pd.concat([read_news(last.news), source.news(tickers, last.as_of, as_of)], ignore_index=True))


def write_snapshot(bars: pd.DataFrame, folder: Path, last: Snapshot | None) -> int:
    """Write the year files of `bars`; a year that equals the last snapshot's is hard-linked, not written.

    Returns
    -------
    int
        How many year files were linked.
    """
    bars = as_bars(bars)
    linked = _link_equal_years(bars, folder, last) if last else []
    write_bars(bars[~bars["session"].dt.year.isin(linked)], folder)
    return len(linked)


def _link_equal_years(bars: pd.DataFrame, folder: Path, last: Snapshot) -> list[int]:
    folder.mkdir(parents=True, exist_ok=True)
    linked = []
    for year, rows in bars.groupby(bars["session"].dt.year):
        earlier = last.bars / f"{year}.parquet"
        if earlier.is_file() and read_bars(earlier).equals(rows.reset_index(drop=True)):
            os.link(earlier, folder / earlier.name)
            linked.append(int(str(year)))
    return linked
