"""Drift checks as alert events."""

from pathlib import Path

import pytest

from MLOps.alert_events import DriftFoundEvent, read_events
from MLOps.settings.compose import compose_settings
from MLOps.settings.drift import DriftSettings
from monitoring.drift.drift_events import write_drift_events
from monitoring.drift.verdict import Status, SubjectDrift


@pytest.fixture
def settings(workspace: Path) -> DriftSettings:
    overrides = [f"paths.workspace='{workspace}'", "run_date=2024-03-05", "metrics.sink=pushgateway"]
    return compose_settings(DriftSettings, "check_data_drift", overrides)


def _told(settings: DriftSettings) -> list[tuple[str, str, str]]:
    events, unreadable = read_events(settings.paths.reports)
    assert not unreadable
    found = [event for event in events if isinstance(event, DriftFoundEvent)]
    return [(event.drift_subject, event.status, event.check) for event in found]


def _found(status: Status, subject: str = "features") -> SubjectDrift:
    return SubjectDrift(subject=subject, status=status, reasons=("macd is far off",))


def test_drift_is_told_once_a_check(settings: DriftSettings) -> None:
    for _ in range(2):
        write_drift_events(settings, "k1", [_found(Status.DRIFT), _found(Status.NO_DRIFT, "actions")])
    assert _told(settings) == [("features", "firing", "k1")]
    (event,), _ = read_events(settings.paths.reports)
    assert (event.message, str(event.run_date), event.is_raised_by_a_rule) == ("macd is far off", "2024-03-05", True)
    assert isinstance(event, DriftFoundEvent)
    assert event.asks_retraining


def test_a_check_without_drift_ends_it(settings: DriftSettings) -> None:
    write_drift_events(settings, "k1", [_found(Status.DRIFT)])
    write_drift_events(settings, "k2", [_found(Status.NO_DRIFT)])
    write_drift_events(settings, "k3", [_found(Status.NO_DRIFT)])
    assert _told(settings) == [("features", "firing", "k1"), ("features", "resolved", "k2")]


def test_a_check_that_could_not_be_made_changes_nothing(settings: DriftSettings) -> None:
    write_drift_events(settings, "k1", [_found(Status.DRIFT)])
    write_drift_events(settings, "k2", [_found(Status.NOT_CHECKED)])
    assert _told(settings) == [("features", "firing", "k1")]
