"""One JSON event in ``reports/alerts/`` for each stage that failed for good; monitoring delivers it."""

import re
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from MLOps.artifacts import write_text
from MLOps.settings.stage_settings import Settings


class AlertEvent(Settings):
    """What somebody must know."""

    event: Literal["stage_failed"] = Field(description="Kind of the event.")
    severity: Literal["warning", "critical"] = Field(description="How soon somebody must look.")
    at: datetime = Field(description="When it happened, UTC.")
    plan: str = Field(description="Plan, and name of the DAG.")
    stage: str = Field(description="Stage, and name of the task.")
    run_id: str = Field(description="Run of the DAG.")
    run_date: date | None = Field(description="Logical date of the run, where it is known.")
    try_number: int = Field(ge=1, description="Which try was the last.")
    message: str = Field(description="The stage's last line.")
    log_url: str = Field(description="Where the task's log is shown.")


def write_alert(reports: Path, event: AlertEvent) -> Path:
    """Write `event` whole; the same failure told twice stays one file.

    Returns
    -------
    Path
        ``<reports>/alerts/<plan>-<run id>-<stage>-<try>.json``.
    """
    name = f"{event.plan}-{event.run_id}-{event.stage}-{event.try_number}"
    path = reports / "alerts" / f"{re.sub(r'[^A-Za-z0-9_.+-]', '_', name)}.json"
    write_text(path, event.model_dump_json(indent=2) + "\n")
    return path
