"""The newest runs of all stages, read back from MLflow."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from experiment_tracking import mlflow_utils
from MLOps.settings.stage_settings import StageSettings

if TYPE_CHECKING:
    from mlflow.entities import Run

_COMMIT_LENGTH, _UNKNOWN = 8, "unknown"


@dataclass(frozen=True)
class RecordedRun:
    """What is told of a run.

    Attributes
    ----------
    run_id : str
    stage : str
        Name of the stage.
    status : str
        MLflow's: FINISHED, FAILED, KILLED or RUNNING.
    started_at, ended_at : datetime
        UTC; a run that was continued began with its first try. `ended_at` is None while it runs.
    commit : str
        Start of the commit that it ran on, with a + if the code was altered since; empty where that is unknown.
    """

    run_id: str
    stage: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    commit: str


def recent_runs(settings: StageSettings, count: int) -> list[RecordedRun]:
    """The newest `count` runs of stages, the newest first; none where nothing was ever tracked.

    Raises
    ------
    ServiceUnavailableError
        If the tracking store cannot be reached.
    """
    client = mlflow_utils.find_client(settings)
    experiment = client.get_experiment_by_name(settings.tracking.experiment) if client else None
    if client is None or experiment is None:
        return []
    found = client.search_runs(
        [experiment.experiment_id],
        filter_string="tags.stage LIKE '%'",  # models without a run of their own were given one
        order_by=["attributes.start_time DESC"],
        max_results=count,
    )
    return [_recorded(run) for run in found]


def _recorded(run: "Run") -> RecordedRun:
    tags, ended = run.data.tags, run.info.end_time
    commit = tags.get("git.commit", _UNKNOWN)
    commit = "" if commit == _UNKNOWN else commit[:_COMMIT_LENGTH]
    return RecordedRun(
        run_id=run.info.run_id,
        stage=tags["stage"],
        status=run.info.status,
        started_at=_moment(run.info.start_time),
        ended_at=_moment(ended) if ended and run.info.status != "RUNNING" else None,
        commit=f"{commit}+" if commit and tags.get("git.dirty") == "true" else commit,
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
