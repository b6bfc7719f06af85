"""Alert events: one JSON file in ``reports/alerts/`` for each thing that somebody must know, and for its end.

Stages and Airflow's callbacks write them; monitoring delivers them. An event stays on disk whether or not anything
runs that could deliver it.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from MLOps.artifacts import write_text
from MLOps.settings.stage_settings import Settings

Severity = Literal["warning", "critical"]
Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted: what tells one alert from another, at Alertmanager too."""


class _Event(Settings):
    """What every event tells."""

    alert_name: ClassVar[str]
    severity: ClassVar[Severity]
    action: ClassVar[str]

    status: Literal["firing", "resolved"] = Field(description="Whether it began or ended.")
    at: AwareDatetime = Field(description="When it happened.")
    run_date: date | None = Field(description="Logical date of the run, where it is known.")
    message: str = Field(description="One line for a person.")
    log_url: str = Field(description="Where the log is shown; empty if nowhere.")

    @property
    def subject(self) -> dict[str, str]:
        """What the alert is about."""
        raise NotImplementedError

    @property
    def occasion(self) -> str:
        """What told it; the same thing told twice on one occasion stays one file."""
        raise NotImplementedError

    @property
    def is_raised_by_a_rule(self) -> bool:
        """Whether Prometheus tells Alertmanager that it fires, so that nobody else need."""
        return False

    @property
    def labels(self) -> Labels:
        """The alert's identity."""
        return tuple(sorted({"alertname": self.alert_name, "severity": self.severity, **self.subject}.items()))

    @property
    def file_name(self) -> str:
        """Name of its file."""
        name = "-".join([self.alert_name, *self.subject.values(), self.occasion, self.status])
        return f"{re.sub(r'[^A-Za-z0-9_.+-]', '_', name)}.json"


class StageFailedEvent(_Event):
    """A stage of a plan failed for good, or succeeded again."""

    alert_name: ClassVar[str] = "StageFailedForGood"
    severity: ClassVar[Severity] = "critical"
    action: ClassVar[str] = "Read the log; the same run, cleared, goes on from where it stopped."

    event: Literal["stage_failed"] = Field(description="Kind of the event.")
    plan: str = Field(description="Plan, and name of the DAG.")
    stage: str = Field(description="Stage, and name of the task.")
    run_id: str = Field(description="Run of the DAG.")
    try_number: int = Field(ge=1, description="Which try was the last.")

    @property
    def subject(self) -> dict[str, str]:
        return {"plan": self.plan, "stage": self.stage}

    @property
    def occasion(self) -> str:
        return f"{self.run_id}-{self.try_number}"


class RunLateEvent(_Event):
    """A plan's run missed its deadline, or a run of it succeeded since."""

    alert_name: ClassVar[str] = "RunLate"
    severity: ClassVar[Severity] = "warning"
    action: ClassVar[str] = "See in Airflow which task it waits for."

    event: Literal["run_late"] = Field(description="Kind of the event.")
    plan: str = Field(description="Plan, and name of the DAG.")
    run_id: str = Field(description="Run of the DAG.")

    @property
    def subject(self) -> dict[str, str]:
        return {"plan": self.plan}

    @property
    def occasion(self) -> str:
        return self.run_id


class _DriftEvent(_Event):
    """What a check of one subject came to; the labels are those of the Prometheus rule."""

    severity: ClassVar[Severity] = "warning"

    drift_subject: str = Field(description="What was checked: features, news scores, ...")
    check: str = Field(description="Key of the check's output.")
    pushed: bool = Field(description="Whether Prometheus has it as a metric too, whose rule raises the same alert.")

    @property
    def is_raised_by_a_rule(self) -> bool:
        return self.pushed

    @property
    def subject(self) -> dict[str, str]:
        return {"subject": self.drift_subject}

    @property
    def occasion(self) -> str:
        return self.check


class DriftFoundEvent(_DriftEvent):
    """A check found drift of one subject, or found none any more."""

    alert_name: ClassVar[str] = "DriftFound"
    action: ClassVar[str] = "Read the drift report; retraining starts by itself where its budget allows."

    event: Literal["drift_found"] = Field(description="Kind of the event.")
    asks_retraining: bool = Field(description="Whether it may start the strategy; not where training follows anyway.")


class DriftNotCheckedEvent(_DriftEvent):
    """A subject could not be checked for drift, or was checked again."""

    alert_name: ClassVar[str] = "DriftNotChecked"
    action: ClassVar[str] = "Read its message; a window may be empty or a column missing."

    event: Literal["drift_not_checked"] = Field(description="Kind of the event.")


AlertEvent = Annotated[
    StageFailedEvent | RunLateEvent | DriftFoundEvent | DriftNotCheckedEvent, Field(discriminator="event")
]
_ADAPTER: TypeAdapter[AlertEvent] = TypeAdapter(AlertEvent)


def events_folder(reports: Path) -> Path:
    """Where the events lie."""
    return reports / "alerts"


def write_event(reports: Path, event: AlertEvent) -> Path:
    """Write `event` whole; told twice on one occasion, the first telling stays until the alert's news was another."""
    path = events_folder(reports) / event.file_name
    if not path.exists() or _is_news(reports, event):
        write_text(path, event.model_dump_json(indent=2) + "\n")
    return path


def _is_news(reports: Path, event: AlertEvent) -> bool:
    """Whether the last news of the alert was another: a check of what another had found before has its key."""
    events, _ = read_events(reports)
    last = newest_by_identity(events).get(event.labels)
    return last is None or last.status != event.status


def read_events(reports: Path) -> tuple[list[AlertEvent], list[Path]]:
    """All events, the oldest first, and the files that hold none."""
    events, unreadable = [], []
    for path in sorted(events_folder(reports).glob("*.json")):
        try:
            events.append(_ADAPTER.validate_json(path.read_bytes()))
        except FileNotFoundError:  # cleaned away meanwhile
            continue
        except (OSError, ValidationError):
            unreadable.append(path)
    return sorted(events, key=lambda event: event.at), unreadable


def newest_by_identity(events: Iterable[AlertEvent]) -> dict[Labels, AlertEvent]:
    """The last news of each alert, out of events in their order."""
    return {event.labels: event for event in events}


def end_alert(reports: Path, ending: AlertEvent) -> Path | None:
    """Write the end of an alert, if its last news is that it fires; None where there is nothing to end.

    Parameters
    ----------
    reports : Path
        The workspace's reports.
    ending : AlertEvent
        With the status ``resolved``.
    """
    events, _ = read_events(reports)
    last = newest_by_identity(events).get(ending.labels)
    return write_event(reports, ending) if last is not None and last.status == "firing" else None


def told_since(reports: Path, moment: datetime) -> bool:
    """Whether an event was written at `moment` or later."""
    events, _ = read_events(reports)
    return any(event.at >= moment for event in events)
