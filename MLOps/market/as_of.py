"""The last session that a run may know, and how far data lie behind it on the same clock."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from MLOps.artifacts import write_text
from MLOps.errors import DataError
from MLOps.market.calendars import last_session, sessions_between, shift_session
from MLOps.settings.clock import Clock, FixedDate, Replay

ANCHOR_FILE = "replay_anchor.json"
BEHIND = "sessions_behind/"


@dataclass(frozen=True)
class AsOf:
    """The last session of the data, and whether it is old data played as if it were new."""

    session: date
    is_replay: bool


def resolve_as_of(
    clock: Clock, run_date: date | None, calendar: str, data_folder: Path, now: datetime | None = None
) -> AsOf:
    """The last session that a run may know.

    A replay is anchored by the workspace's first run: ``replay_anchor.json`` keeps its date, and a
    run n sessions of the exchange later sees n sessions more. A retry, a backfill of an earlier date
    and a run on a holiday all get the session that belongs to their date.

    Parameters
    ----------
    clock : Clock
        The parsed setting `data.as_of`.
    run_date : date, optional
        Logical date of the run; today if None.
    calendar : str
        Exchange calendar.
    data_folder : Path
        Where the anchor is kept.
    now : datetime, optional
        Sessions that close later than this are not known; the present if None.

    Raises
    ------
    DataError
        If the anchor file is broken or the date leaves the calendar.
    """
    now = now or datetime.now(UTC)
    day = run_date or now.date()
    if isinstance(clock, FixedDate):
        return AsOf(last_session(calendar, clock.day, now), is_replay=False)
    if not isinstance(clock, Replay):
        return AsOf(last_session(calendar, day, now), is_replay=False)
    anchor = _anchor(data_folder / ANCHOR_FILE, clock.start, day)
    start = last_session(calendar, clock.start)
    return AsOf(shift_session(calendar, start, sessions_between(calendar, anchor, day)), is_replay=True)


def freshness(feed: str, calendar: str, newest: date, as_of: AsOf) -> dict[str, float]:
    """How many sessions `newest` lies behind the clock, and whether the clock replays old data; by feed.

    Parameters
    ----------
    feed : str
        What the data are, for a person.
    calendar : str
        Exchange calendar.
    newest : date
        Session of the newest bar.
    as_of : AsOf
        The last session that could be known.
    """
    behind = max(0, sessions_between(calendar, newest, as_of.session))
    return {f"{BEHIND}{feed}": behind, f"is_replay/{feed}": as_of.is_replay}


def _anchor(path: Path, start: date, day: date) -> date:
    """Date of the first run that replayed from `start`; `day` becomes it if there was none."""
    try:
        anchors = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        known = anchors.get(start.isoformat())
        if known:
            return date.fromisoformat(known)
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} is broken ({error})", "start dates and run dates", "remove it") from error
    write_text(path, json.dumps(anchors | {start.isoformat(): day.isoformat()}, indent=2, sort_keys=True) + "\n")
    return day
