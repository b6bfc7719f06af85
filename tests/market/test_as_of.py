"""The clock: which session a run may know."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from MLOps.errors import DataError
from MLOps.market.as_of import ANCHOR_FILE, AsOf, resolve_as_of
from MLOps.settings.clock import Clock, FixedDate, LogicalDate, Replay, parse_clock

_NOW = datetime(2026, 11, 30, tzinfo=UTC)
_START = Replay(date(2022, 12, 30))


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("logical_date", LogicalDate()),
        ("replay(2022-12-30)", Replay(date(2022, 12, 30))),
        ("2022-12-30", FixedDate(date(2022, 12, 30))),
    ],
)
def test_clocks_are_read(text: str, clock: Clock) -> None:
    assert parse_clock(text) == clock


@pytest.mark.parametrize("text", ["yesterday", "replay(2022-13-01)", "replay()", "2022/12/30", ""])
def test_other_words_are_no_clock(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be logical_date, replay\(YYYY-MM-DD\) or YYYY-MM-DD"):
        parse_clock(text)


def test_the_logical_date_gives_the_last_session_that_has_closed(tmp_path: Path) -> None:
    friday_noon = datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert resolve_as_of(LogicalDate(), date(2026, 11, 22), "XNYS", tmp_path, _NOW).session == date(2026, 11, 20)
    assert resolve_as_of(LogicalDate(), None, "XNYS", tmp_path, friday_noon).session == date(2026, 11, 19)


def test_a_fixed_date_stands_still(tmp_path: Path) -> None:
    as_of = resolve_as_of(FixedDate(date(2023, 1, 1)), date(2026, 11, 20), "XNYS", tmp_path, _NOW)
    assert as_of == AsOf(date(2022, 12, 30), is_replay=False)


def test_a_replay_moves_one_session_a_trading_day(tmp_path: Path) -> None:
    # 2026-11-26 is Thanksgiving; 2023-01-02 was a holiday.
    days = ["2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"]
    sessions = [
        resolve_as_of(_START, date.fromisoformat(day), "XNYS", tmp_path, _NOW).session.isoformat() for day in days
    ]
    assert sessions == ["2022-12-30", "2023-01-03", "2023-01-04", "2023-01-05", "2023-01-05", "2023-01-06"]


def test_a_retry_and_an_earlier_date_get_their_own_session(tmp_path: Path) -> None:
    def session(day: str) -> date:
        return resolve_as_of(_START, date.fromisoformat(day), "XNYS", tmp_path, _NOW).session

    assert session("2026-11-20") == session("2026-11-20") == date(2022, 12, 30)
    session("2026-11-24")
    assert session("2026-11-23") == date(2023, 1, 3)
    assert session("2026-11-19") == date(2022, 12, 29)  # before the anchor: the replay runs backwards


def test_each_start_has_its_own_anchor(tmp_path: Path) -> None:
    resolve_as_of(_START, date(2026, 11, 20), "XNYS", tmp_path, _NOW)
    resolve_as_of(Replay(date(2020, 1, 2)), date(2026, 11, 23), "XNYS", tmp_path, _NOW)
    anchors = json.loads((tmp_path / ANCHOR_FILE).read_text())
    assert anchors == {"2020-01-02": "2026-11-23", "2022-12-30": "2026-11-20"}


@pytest.mark.parametrize("content", ["no json", "[]", '{"2022-12-30": "soon"}'])
def test_a_broken_anchor_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / ANCHOR_FILE).write_text(content)
    with pytest.raises(DataError, match="is broken"):
        resolve_as_of(_START, date(2026, 11, 20), "XNYS", tmp_path, _NOW)
