"""What a stage's run tells Prometheus when it ends, well or not."""

import math
import time
from collections.abc import Mapping
from pathlib import Path

from experiment_tracking.comparable_trainings import TRAININGS, comparable_name
from experiment_tracking.metric_samples import Sample
from experiment_tracking.metric_sinks import Gone, metrics_folder, only_warned, report_metrics
from experiment_tracking.reported_figures import gone_from, samples_of
from experiment_tracking.reward_history import usual_reward, was_told
from experiment_tracking.run_history import usual
from MLOps import metric_catalogue as catalogue
from MLOps.errors import DivergenceError, FailedExpectationsError, StorageError
from MLOps.settings.stage_settings import StageSettings
from MLOps.stage import Scalar, StageResult

_VALIDATING = {"ingest_data", "ingest_crypto_bars", "build_features", "prepare_sentiment_dataset"}


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
        stage = result.stage
        figures = {**curves, **_numbers(result.details), **result.metrics}
        samples = _of_run(stage, result.seconds, succeeded=True) + _usual_duration(settings, result)
        if stage in _VALIDATING:
            samples.append(Sample(catalogue.VALIDATION_FAILED, 0, (stage,)))
        if stage in TRAININGS:
            if _is_told_again(settings, result):
                figures = {}  # a training's figures are of the last training, and this was none
            else:
                samples += _of_training(settings, result, figures.get("episode_reward"))
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
        if stage in TRAININGS and "episode_reward" in curves:  # of a part of its budget: like no whole training's
            samples.append(Sample(catalogue.TRAINING_USUAL_REWARD, math.nan, (settings.registry.model_name,)))
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


def _usual_duration(settings: StageSettings, result: StageResult) -> list[Sample]:
    """How long such runs take; NaN without earlier ones, nothing, with one warning, where its file is out of reach."""
    stage = result.stage
    name = comparable_name(settings, stage) if stage in TRAININGS else stage
    path = metrics_folder(settings) / "durations" / f"{name}.json"
    with only_warned(stage):
        found = usual(path, result.seconds, settings.metrics.history_runs, keep=result.status == "made")
        return [Sample(catalogue.STAGE_USUAL_DURATION, found, (stage,))]
    return []


def _is_told_again(settings: StageSettings, result: StageResult) -> bool:
    """Whether a training was found made and told before; one whose run was killed before it could tell was not."""
    return result.status == "already_made" and was_told(_rewards_path(settings, result.stage), _learned(result))


def _of_training(settings: StageSettings, result: StageResult, reward: float | None) -> list[Sample]:
    """That a training ended well, and what its reward usually is; the latter out of reach is one warning."""
    model = settings.registry.model_name
    samples = [Sample(catalogue.TRAINING_DIVERGED, 0, (model, result.stage))]
    if reward is None or not math.isfinite(reward):
        return samples
    with only_warned(result.stage):
        path = _rewards_path(settings, result.stage)
        found = usual_reward(path, _learned(result), reward, settings.metrics.history_runs)
        samples.append(Sample(catalogue.TRAINING_USUAL_REWARD, found.median, (model,)))
        samples.append(Sample(catalogue.TRAINING_REWARD_SPREAD, found.spread, (model,)))
    return samples


def _learned(result: StageResult) -> str:
    """What tells a training from others: its weights, which it shares with one that only a test window sets apart."""
    weights = [made.sha256 for made in result.artifacts.values() if made.path.suffix == ".safetensors"]
    return weights[0] if weights else result.key


def _rewards_path(settings: StageSettings, stage: str) -> Path:
    return metrics_folder(settings) / "rewards" / f"{comparable_name(settings, stage)}.json"


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
    name = settings.registry.model_name
    told = samples_of(stage, figures, {"stage": stage, "model": name, "family": name})
    report_metrics(settings, {**told, stage: samples + told.get(stage, [])}, can_write=can_write, gone=gone)


def _numbers(details: Mapping[str, Scalar]) -> dict[str, float]:
    return {name: float(value) for name, value in details.items() if isinstance(value, bool | int | float)}
