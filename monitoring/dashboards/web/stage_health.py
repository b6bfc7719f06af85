"""How the last run of each stage ended, out of the text files that every run reports to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from experiment_tracking.metric_samples import Sample
from experiment_tracking.metric_sinks import TextFileSink, metrics_folder
from MLOps import metric_catalogue as catalogue
from MLOps.settings.stage_settings import StageSettings
from monitoring.drift.verdict import Status


@dataclass(frozen=True)
class StageHealth:
    """A stage's last run.

    Attributes
    ----------
    stage : str
    succeeded : bool
    ended_at : datetime or None
        UTC.
    seconds, usual_seconds : float or None
        Wall time, and the median of the runs before; None where it is not known.
    answers : frozenset of Status
        What a drift check found of its subjects; empty for other stages.
    """

    stage: str
    succeeded: bool
    ended_at: datetime | None
    seconds: float | None
    usual_seconds: float | None
    answers: frozenset[Status]


def read_stage_health(settings: StageSettings) -> list[StageHealth]:
    """Every stage that ever reported, the one that ran last first."""
    folder = metrics_folder(settings)
    jobs = sorted(path.stem for path in folder.glob("[!.]*.prom"))
    found = [_health(job, TextFileSink(folder).read(job)) for job in jobs]
    told = [health for health in found if health is not None]
    return sorted(told, key=lambda health: (health.ended_at is not None, health.ended_at), reverse=True)


def _health(stage: str, samples: list[Sample]) -> StageHealth | None:
    """None for a job that is no stage; what is NaN is not known."""
    values: Mapping[str, float] = {
        sample.metric.name: sample.value
        for sample in samples
        if stage in sample.label_values and not math.isnan(sample.value)
    }
    if (success := values.get(catalogue.STAGE_SUCCESS.name)) is None:
        return None
    found = {sample.value for sample in samples if sample.metric == catalogue.DRIFT_STATUS}
    ended = values.get(catalogue.STAGE_LAST_RUN.name)
    return StageHealth(
        stage=stage,
        succeeded=success == 1,
        ended_at=datetime.fromtimestamp(ended, UTC) if ended is not None else None,
        seconds=values.get(catalogue.STAGE_DURATION.name),
        usual_seconds=values.get(catalogue.STAGE_USUAL_DURATION.name),
        answers=frozenset(status for status in Status if status in found),
    )
