"""What a stage's run tells Prometheus when it ends, well or not."""

import math
import time
from collections.abc import Mapping

from experiment_tracking.metric_samples import Sample
from experiment_tracking.metric_sinks import Gone, metrics_folder, only_warned, report_metrics
from experiment_tracking.reported_figures import gone_from, samples_of
from experiment_tracking.run_history import usual
from MLOps import metric_catalogue as catalogue
from MLOps.errors import DivergenceError, FailedExpectationsError, StorageError
from MLOps.metric_catalogue import Metric
from MLOps.settings.stage_settings import StageSettings
from MLOps.stage import Scalar, StageResult

_VALIDATING = {"ingest_data", "ingest_crypto_bars", "build_features", "prepare_sentiment_dataset"}
_TRAINING = {"train_rl_agent", "train_sentiment_model", "train_rainbow"}


def report_success(settings: StageSettings, result: StageResult, curves: Mapping[str, float]) -> None:
    """Report a run that gave a result.

    Parameters
    ----------
    settings : StageSettings
        Of the run.
    result : StageResult
        With its wall time.
    curves : mapping of str to float
        Last point of each curve that the stage tracked, by name.
    """
    if settings.metrics.sink == "none":
        return
    with only_warned(result.stage):
        stage, model = result.stage, settings.registry.model_name
        figures = {**curves, **_numbers(result.details), **result.metrics}
        samples = _of_run(stage, result.seconds, succeeded=True)
        samples += _usual(catalogue.STAGE_USUAL_DURATION, "durations", stage, settings, result, result.seconds)
        if stage in _VALIDATING:
            samples.append(Sample(catalogue.VALIDATION_FAILED, 0, (stage,)))
        if stage in _TRAINING:
            samples.append(Sample(catalogue.TRAINING_DIVERGED, 0, (model, stage)))
            reward = figures.get("episode_reward")
            samples += _usual(catalogue.TRAINING_USUAL_REWARD, "rewards", model, settings, result, reward)
        _report(settings, stage, samples, figures, gone=gone_from(result.details, time.time()))


def report_failure(
    settings: StageSettings, stage: str, seconds: float, error: BaseException, curves: Mapping[str, float]
) -> None:
    """Report a run that ended in `error`; what it tracked until then is told too.

    After a StorageError no file is tried: the one line on it is enough.
    """
    with only_warned(stage):
        samples = _of_run(stage, seconds, succeeded=False)
        if isinstance(error, FailedExpectationsError):
            samples.append(Sample(catalogue.VALIDATION_FAILED, error.failed, (stage,)))
        if isinstance(error, DivergenceError):
            samples.append(Sample(catalogue.TRAINING_DIVERGED, 1, (settings.registry.model_name, stage)))
        _report(settings, stage, samples, curves, can_write=not isinstance(error, StorageError))


def _of_run(stage: str, seconds: float, *, succeeded: bool) -> list[Sample]:
    """What every run tells, seconds since 1970 among it."""
    now = time.time()
    samples = [
        Sample(catalogue.STAGE_DURATION, seconds, (stage,)),
        Sample(catalogue.STAGE_SUCCESS, float(succeeded), (stage,)),
        Sample(catalogue.STAGE_LAST_RUN, now, (stage,)),
    ]
    return [*samples, Sample(catalogue.STAGE_LAST_SUCCESS, now, (stage,))] if succeeded else samples


def _usual(
    metric: Metric, kind: str, name: str, settings: StageSettings, result: StageResult, value: float | None
) -> list[Sample]:
    """What `value` usually is; nothing without earlier runs, nor, with one warning, where its file is out of reach."""
    if value is None or not math.isfinite(value):
        return []
    path = metrics_folder(settings) / kind / f"{name}.json"
    with only_warned(result.stage):
        found = usual(path, value, settings.metrics.history_runs, keep=result.status == "made")
        return [] if found is None else [Sample(metric, found, (name,))]
    return []


def _report(
    settings: StageSettings,
    stage: str,
    samples: list[Sample],
    figures: Mapping[str, float],
    *,
    can_write: bool = True,
    gone: Gone = lambda _: (),
) -> None:
    """Report `samples`, and what the table makes of `figures`."""
    told = samples_of(stage, figures, {"stage": stage, "model": settings.registry.model_name})
    report_metrics(settings, {**told, stage: samples + told.get(stage, [])}, can_write=can_write, gone=gone)


def _numbers(details: Mapping[str, Scalar]) -> dict[str, float]:
    return {name: float(value) for name, value in details.items() if isinstance(value, bool | int | float)}
