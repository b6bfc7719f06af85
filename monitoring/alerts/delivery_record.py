"""What was delivered and what could not be: ``reports/alert_delivery/delivery.json``."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from pydantic import AwareDatetime, Field, ValidationError

from MLOps.artifacts import write_text
from MLOps.settings.stage_settings import Settings
from monitoring.alerts.due_alerts import ToldAlert

_LOG = logging.getLogger(__name__)


class DeliveryRecord(Settings):
    """The state of delivery."""

    told: tuple[ToldAlert, ...] = Field(description="Last news of each alert that Alertmanager was told.")
    waiting: int = Field(ge=0, description="Alerts whose last news was not told.")
    unreadable: tuple[str, ...] = Field(description="Files in the events' folder that hold no event.")
    last_told_at: AwareDatetime | None = Field(description="When Alertmanager was told something last.")
    failing_since: AwareDatetime | None = Field(description="First of the failures since then; empty if none.")
    failures: int = Field(ge=0, description="Deliveries that failed since then.")
    failure: str | None = Field(description="The last of these failures.")


NOTHING_TOLD = DeliveryRecord(
    told=(), waiting=0, unreadable=(), last_told_at=None, failing_since=None, failures=0, failure=None
)


def record_path(reports: Path) -> Path:
    """Where the state is kept."""
    return reports / "alert_delivery" / "delivery.json"


def read_record(reports: Path) -> DeliveryRecord:
    """The state; without a readable file nothing was told, and what is told twice Alertmanager takes once."""
    path = record_path(reports)
    try:
        return DeliveryRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return NOTHING_TOLD
    except ValidationError as error:
        _LOG.warning("%s holds no record of deliveries, all is told again: %s", path, str(error).splitlines()[0])
        return NOTHING_TOLD


def write_record(reports: Path, record: DeliveryRecord) -> None:
    """Write the state whole."""
    write_text(record_path(reports), record.model_dump_json(indent=2) + "\n")


@contextmanager
def only_deliverer(reports: Path, wait_seconds: float) -> Iterator[None]:
    """Let no other process deliver meanwhile.

    Raises
    ------
    TimeoutError
        If another one is at it for longer than `wait_seconds`.
    """
    path = record_path(reports).with_name(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, timeout=wait_seconds):
        yield
