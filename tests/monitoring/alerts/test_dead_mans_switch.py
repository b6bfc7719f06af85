"""A heartbeat that stops is told once, and so is its return."""

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.alerts.dead_mans_switch import DeadMansSwitch
from monitoring.alerts.notification import Notification

_START = datetime(2026, 1, 2, tzinfo=UTC)


class _Clock:
    def __init__(self) -> None:
        self.now = _START

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def told() -> list[Notification]:
    return []


@pytest.fixture
def switch(clock: _Clock, told: list[Notification]) -> DeadMansSwitch:
    return DeadMansSwitch(timedelta(seconds=300), told.append, clock)


def test_it_is_quiet_while_hearts_beat(switch: DeadMansSwitch, clock: _Clock, told: list[Notification]) -> None:
    for _ in range(10):
        clock.go_on(299)
        switch.check()
        switch.beat()
    assert told == []
    assert not switch.is_silent


def test_it_tells_silence_once_and_the_return_once(
    switch: DeadMansSwitch, clock: _Clock, told: list[Notification]
) -> None:
    clock.go_on(301)
    for _ in range(3):
        switch.check()
    assert switch.is_silent
    assert [each.status for each in told] == ["firing"]
    assert told[0].alerts[0].starts_at == _START
    clock.go_on(60)
    switch.beat()
    switch.beat()
    assert not switch.is_silent
    assert [each.status for each in told] == ["firing", "resolved"]
    assert told[1].alerts[0].ends_at == clock.now


def test_an_alarm_from_before_a_restart_is_not_told_anew_and_ends(clock: _Clock, told: list[Notification]) -> None:
    switch = DeadMansSwitch(timedelta(seconds=300), told.append, clock, silent_since=_START)
    clock.go_on(1000)
    switch.check()
    assert told == []
    switch.beat()
    assert [each.status for each in told] == ["resolved"]


def test_an_alarm_that_could_not_be_kept_is_told_again(clock: _Clock, told: list[Notification]) -> None:
    places = iter([OSError("the disk is full"), None])

    def keep(notification: Notification) -> None:
        if (fault := next(places)) is not None:
            raise fault
        told.append(notification)

    switch = DeadMansSwitch(timedelta(seconds=300), keep, clock)
    clock.go_on(301)
    with pytest.raises(OSError, match="full"):
        switch.check()
    switch.check()
    assert [each.status for each in told] == ["firing"]
