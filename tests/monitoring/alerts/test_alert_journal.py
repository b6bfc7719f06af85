"""The journal keeps every notification, outlives a crash, and tells what fires."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from monitoring.alerts.alert_journal import AlertJournal, firing_alerts
from monitoring.alerts.notification import Notification

Maker = Callable[..., Notification]


@pytest.fixture
def make(make_body: Callable[..., dict[str, Any]]) -> Maker:
    """A maker of notifications."""
    return lambda *arguments: Notification.model_validate(make_body(*arguments))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal in a folder that is not there yet."""
    return tmp_path / "alerts_received" / "notifications.jsonl"


def _names(journal: AlertJournal) -> list[str]:
    return [each.notification.alerts[0].name for each in journal.read()]


def test_what_was_kept_is_read_in_its_order(path: Path, make: Maker) -> None:
    journal = AlertJournal(path, keep=10)
    first, second = make("A"), make("B", "resolved")
    journal.append(first)
    journal.append(second)
    assert [each.notification for each in AlertJournal(path, keep=10).read()] == [first, second]


def test_nothing_was_kept_yet(path: Path) -> None:
    assert AlertJournal(path, keep=10).read() == []


def test_a_separator_within_a_text_ends_no_line(path: Path, make: Maker) -> None:
    journal = AlertJournal(path, keep=2)
    told = [make(name, "firing", "one\u2028two\x85three") for name in ("A", "B", "C", "D")]
    for notification in told[:3]:
        journal.append(notification)
    assert [each.notification for each in journal.read()] == told[:3]
    journal.append(told[3])
    assert [each.notification for each in journal.read()] == told[2:]


@pytest.mark.parametrize("cut", [1, 40], ids=["newline", "half"])
def test_a_line_that_a_crash_cut_short_costs_no_other(path: Path, make: Maker, cut: int) -> None:
    journal = AlertJournal(path, keep=10)
    journal.append(make("A"))
    journal.append(make("B"))
    path.write_bytes(path.read_bytes()[:-cut])
    journal.append(make("C"))
    assert _names(journal) == (["A", "B", "C"] if cut == 1 else ["A", "C"])


def test_the_older_half_goes_once_there_are_twice_as_many(path: Path, make: Maker) -> None:
    journal = AlertJournal(path, keep=3)
    for number in range(5):
        journal.append(make(f"A{number}"))
    assert _names(journal) == ["A0", "A1", "A2", "A3", "A4"]
    journal.append(make("A5"))
    assert _names(journal) == ["A3", "A4", "A5"]


def test_threads_do_not_tear_each_others_lines(path: Path, make: Maker) -> None:
    journal = AlertJournal(path, keep=1000)
    notifications = [make(f"A{number}", "firing", "x" * 5000) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(journal.append, notifications))
    assert sorted(_names(journal)) == sorted(f"A{number}" for number in range(40))


def test_an_alert_fires_until_it_is_resolved(path: Path, make: Maker) -> None:
    journal = AlertJournal(path, keep=10)
    for name, status in (("A", "firing"), ("B", "firing"), ("A", "resolved")):
        journal.append(make(name, status))
    assert [alert.name for alert in firing_alerts(journal.read())] == ["B"]
    journal.append(make("A", "firing"))
    assert {alert.name for alert in firing_alerts(journal.read())} == {"A", "B"}
