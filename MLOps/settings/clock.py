"""The clock of the data: up to which session it is known.

``logical_date`` follows the run's date, ``replay(YYYY-MM-DD)`` plays old data from that date on, one
session a trading day, and ``YYYY-MM-DD`` stands still.
"""

import re
from dataclasses import dataclass
from datetime import date

_REPLAY = re.compile(r"replay\((\d{4}-\d{2}-\d{2})\)")
ALLOWED = "logical_date, replay(YYYY-MM-DD) or YYYY-MM-DD"


@dataclass(frozen=True)
class LogicalDate:
    """Data up to the run's date."""


@dataclass(frozen=True)
class Replay:
    """Old data as if it came in now; the first run sees `start` as its last session."""

    start: date


@dataclass(frozen=True)
class FixedDate:
    """Data up to one date, whenever the run is."""

    day: date


Clock = LogicalDate | Replay | FixedDate


def parse_clock(text: str) -> Clock:
    """The clock that `text` names.

    Raises
    ------
    ValueError
        If it names none.
    """
    try:
        if text == "logical_date":
            return LogicalDate()
        if match := _REPLAY.fullmatch(text):
            return Replay(date.fromisoformat(match[1]))
        return FixedDate(date.fromisoformat(text))
    except ValueError as error:
        raise ValueError(f"must be {ALLOWED}") from error
