"""What is kept of a chain's run: ``chain.json`` and one file a step, each written whole."""

from datetime import date, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from MLOps.artifacts import write_text
from MLOps.errors import DataError
from MLOps.settings.stage_settings import Settings
from MLOps.stage import StageResult

CHAIN_FILE = "chain.json"


class ChainRecord(Settings):
    """What was run."""

    plan: str = Field(description="Name of the plan.")
    run_id: str = Field(description="Name of the run.")
    run_date: date = Field(description="Logical date of the run.")
    started_at: datetime = Field(description="When the first step began.")
    overrides: tuple[str, ...] = Field(description="The key=value that a person gave.")
    stages: tuple[str, ...] = Field(description="The stages, in their order.")
    outcome: dict[str, str] = Field(description="What is told at the end: name to ${stage.field}.")


class StepRecord(Settings):
    """What came of one step, at its last try."""

    stage: str = Field(description="Name of the stage.")
    started_at: datetime = Field(description="When the try began.")
    ended_at: datetime = Field(description="When the try ended.")
    result: StageResult | None = Field(description="The stage's result; empty if it failed.")
    failure: str | None = Field(description="The stage's last line if it failed.")


def write_chain(folder: Path, record: ChainRecord) -> None:
    """Write `record` unless the run has begun already."""
    if not (folder / CHAIN_FILE).exists():
        write_text(folder / CHAIN_FILE, record.model_dump_json(indent=2) + "\n")


def write_step(folder: Path, position: int, record: StepRecord) -> None:
    """Write what came of the step at `position`, in place of an earlier try."""
    write_text(_step_file(folder, position, record.stage), record.model_dump_json(indent=2) + "\n")


def read_chain(folder: Path) -> tuple[ChainRecord, list[StepRecord]]:
    """A run's record and those of its steps so far, in the plan's order.

    Raises
    ------
    DataError
        If `folder` holds no readable record.
    """
    try:
        chain = ChainRecord.model_validate_json((folder / CHAIN_FILE).read_bytes())
        files = [_step_file(folder, number, stage) for number, stage in enumerate(chain.stages, start=1)]
        steps = [StepRecord.model_validate_json(file.read_bytes()) for file in files if file.exists()]
    except (OSError, ValidationError) as error:
        raise DataError(f"{folder} holds no record of a chain", f"a folder with {CHAIN_FILE}") from error
    return chain, steps


def newest_chain(reports: Path, begun_after: datetime | None = None, plan: str | None = None) -> Path:
    """The folder of the run that began last, of `plan` if one is named.

    Raises
    ------
    DataError
        If there is none, or none after `begun_after`.
    """
    chains = {file.parent: read_chain(file.parent)[0] for file in (reports / "chains").glob(f"*/{CHAIN_FILE}")}
    begun = {folder: chain.started_at for folder, chain in chains.items() if plan in (None, chain.plan)}
    newest = max(begun, key=lambda folder: begun[folder], default=None)
    if newest is None or (begun_after and begun[newest] < begun_after):
        raise DataError(f"{reports / 'chains'} holds no such run", "at least one run of a plan", "run a plan first")
    return newest


def _step_file(folder: Path, position: int, stage: str) -> Path:
    return folder / f"{position:02d}-{stage}.json"
