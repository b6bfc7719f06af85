"""What a drift check found as alert events, which are delivered and may start a retraining."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from MLOps.alert_events import DriftFoundEvent, end_alert, write_event
from MLOps.settings.drift import DriftSettings
from monitoring.drift.verdict import Status, SubjectDrift


def write_drift_events(settings: DriftSettings, check: str, subjects: Iterable[SubjectDrift]) -> None:
    """Tell the drift of each subject that drifted, and the end of it for one that no longer does.

    Parameters
    ----------
    settings : DriftSettings
        Of the check.
    check : str
        Key of its output: the same check told again is no news.
    subjects : iterable of SubjectDrift
        One that could not be checked changes nothing.
    """
    for found in subjects:
        if found.status is Status.DRIFT:
            write_event(settings.paths.reports, _event(settings, check, found, "firing"))
        elif found.status is Status.NO_DRIFT:
            end_alert(settings.paths.reports, _event(settings, check, found, "resolved"))


def _event(
    settings: DriftSettings, check: str, found: SubjectDrift, status: Literal["firing", "resolved"]
) -> DriftFoundEvent:
    return DriftFoundEvent(
        event="drift_found",
        status=status,
        at=datetime.now(UTC),
        run_date=settings.run_date,
        message="; ".join(found.reasons) or "no drift any more",
        log_url="",
        drift_subject=found.subject,
        check=check,
        asks_retraining=settings.ask_for_retraining,
        pushed=settings.metrics.sink == "pushgateway",
    )
