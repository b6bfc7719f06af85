"""What drift alerts came to: ``reports/retraining/retraining.json``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import AwareDatetime, Field, ValidationError

from MLOps.artifacts import write_text
from MLOps.errors import DataError
from MLOps.settings.stage_settings import Settings

_KEPT = 200
_ASKED_KEPT = timedelta(days=30)  # budget and the longest cool-down that the settings allow look no further back


class Answer(Settings):
    """What was done about the drift alerts that were new at one moment."""

    at: AwareDatetime = Field(description="When.")
    events: tuple[str, ...] = Field(min_length=1, description="Files of the drift alerts.")
    outcome: Literal["asking", "started", "refused"] = Field(
        description="asking: written before Airflow is asked, and left where its answer never came; it may have begun."
    )
    told: str = Field(description="Why it was refused, or what Airflow answered.")


class RetrainingRecord(Settings):
    """The answers, the oldest first."""

    answers: tuple[Answer, ...] = Field(description="What drift alerts came to.")

    @property
    def answered(self) -> set[str]:
        """Files of the drift alerts that need no further answer."""
        return {event for answer in self.answers for event in answer.events}

    @property
    def asked_at(self) -> list[AwareDatetime]:
        """When retrainings were asked for."""
        return [answer.at for answer in self.answers if answer.outcome != "refused"]


def record_path(reports: Path) -> Path:
    """Where the answers are kept."""
    return reports / "retraining" / "retraining.json"


def read_answers(reports: Path) -> RetrainingRecord:
    """All answers that are kept.

    Raises
    ------
    DataError
        If the file is there and cannot be read: without it the budget is not known.
    """
    path = record_path(reports)
    try:
        return RetrainingRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return RetrainingRecord(answers=())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path} cannot be read", "the record of retrainings", "mend or remove it") from error


def write_answers(reports: Path, answers: Sequence[Answer]) -> None:
    """Write the answers whole; the newest 200 are kept, and of older ones what cool-down and budget may count."""
    counted = (
        answer
        for answer in answers[:-_KEPT]
        if answer.outcome != "refused" and answers[-1].at - answer.at <= _ASKED_KEPT
    )
    record = RetrainingRecord(answers=(*counted, *answers[-_KEPT:]))
    write_text(record_path(reports), record.model_dump_json(indent=2) + "\n")


@contextmanager
def only_asker(reports: Path, wait_seconds: float) -> Iterator[None]:
    """Let no other process ask meanwhile.

    Raises
    ------
    TimeoutError
        If another one is at it for longer than `wait_seconds`.
    """
    path = record_path(reports).with_name(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, timeout=wait_seconds):
        yield
