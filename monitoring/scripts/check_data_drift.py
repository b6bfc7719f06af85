"""Stage check_data_drift: whether the newest rows look like those before.

Compares features, news scores, the inputs and actions of the model, and what a buy-timing agent sees with a reference
window, and makes
reports/drift/check-<key>/ with drift.json and a page of Evidently for each subject.

Exit status: 0 no drift, 10 drift, 11 a subject could not be checked; any other: the check did not come to its end.
"""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, make_once
from MLOps.errors import PlatformError, SettingsError
from MLOps.settings.drift import DriftSettings, DriftSubject
from MLOps.settings.stage_settings import fingerprint
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag
from monitoring.drift.drift_events import write_drift_events
from monitoring.drift.report import DriftReport, draw_report, figures_of, read_report, write_report
from monitoring.drift.subjects import Load, find_inputs, subject_loads
from monitoring.drift.verdict import Status, SubjectDrift, coin_of, judge, name_of
from monitoring.drift.watched_model import WatchedModel, find_model

_LOG = logging.getLogger(__name__)
_DRIFT_EXIT, _NOT_CHECKED_EXIT = 10, 11  # no error of MLOps/errors.py ends with these


def check_data_drift(settings: DriftSettings, tracker: Tracker) -> StageResult:
    """Compare the windows of every subject that is there; what is wrong with one of them is part of the result."""
    inputs = find_inputs(settings)
    model = find_model(settings) if {"observation", "actions"} & set(settings.subjects) else None
    loads = subject_loads(settings, inputs, model)
    if not loads:
        raise SettingsError(
            f"subjects={','.join(settings.subjects)}: none of them is there to be checked",
            "features; news_scores with scores_path; observation and actions with a trained model; timing_observation",
            "subjects, scores_path, or the model",
        )
    output = Output(
        stage=STAGE.name,
        root=settings.paths.reports / "drift",
        settings=settings,
        inputs=inputs.existing(),
        label="check",
        version=5,
        extra={**_identity(model), **_identity_of_timing(settings), "absent": ",".join(inputs.absent())},
        packages=("evidently", "numpy", "pandas"),
    )

    def make(folder: Path, _key: str) -> Made:
        return _make(folder, loads, model, settings)

    result = make_once(output, make, tracker)
    report = read_report(result.folder)
    for found in report.subjects:
        _tell(found)
    write_drift_events(settings, result.key, report.subjects)
    checked_at = {f"{found.name}.checked_timestamp_seconds": time.time() for found in report.subjects}
    absent = ",".join(
        name_of(subject, coin_of(subject, settings)) for subject in settings.subjects if subject not in loads
    )
    told = {"metrics": result.metrics | checked_at, "details": result.details | {"absent_subjects": absent}}
    return result.model_copy(update=told)


def _identity(model: WatchedModel | None) -> dict[str, str]:
    """Which model is watched, or why none can be: a registry that comes back makes another key."""
    if model is None:
        return {"model": ""}
    return {"model": model.digest or str(model.loaded)}


def _identity_of_timing(settings: DriftSettings) -> dict[str, str]:
    """Which cycles are checked, where they are: else another coin would make the key of the stocks' check another."""
    if "timing_observation" not in settings.subjects:
        return {}
    return {"data": fingerprint(settings.data), "timing": fingerprint(settings.timing)}


def _make(
    folder: Path, loads: Mapping[DriftSubject, Load], model: WatchedModel | None, settings: DriftSettings
) -> Made:
    subjects: list[SubjectDrift] = []
    files: dict[str, str] = {}
    for subject, load in loads.items():
        found, pages = _check(folder, subject, load, settings)
        subjects.append(found)
        files |= pages
    report = DriftReport(model=model.label if model else "", subjects=tuple(subjects))
    files["report"] = write_report(folder, report)
    figures = {name: value for found in subjects for name, value in figures_of(found).items()}
    details = {
        f"{found.name}.{name}": value
        for found in subjects
        for name, value in (("status", found.status.name.lower()), ("reasons", " | ".join(found.reasons)))
    }
    return Made(files=files, metrics=figures, details=details)


def _check(
    folder: Path, subject: DriftSubject, load: Load, settings: DriftSettings
) -> tuple[SubjectDrift, Mapping[str, str]]:
    """What became of a subject, and its pages by name."""
    coin = coin_of(subject, settings)
    try:
        sample = load()
    except PlatformError as error:
        return SubjectDrift(subject=subject, coin=coin, status=Status.NOT_CHECKED, reasons=(str(error),)), {}
    found = judge(subject, sample, settings.thresholds).model_copy(update={"coin": coin})
    return found, draw_report(folder, found, sample, settings.report_columns)


def _tell(found: SubjectDrift) -> None:
    """One line a note, then the verdict."""
    for note in found.notes:
        _LOG.warning("%s: %s", found.name, note)
    if found.status is Status.NO_DRIFT:
        _LOG.info("%s: no drift: %s", found.name, found.drifted_columns)
    else:
        what = "drift" if found.status is Status.DRIFT else "could not be checked"
        _LOG.warning("%s: %s: %s", found.name, what, "; ".join(found.reasons))


def exit_status(settings: DriftSettings, result: StageResult) -> int:
    """10 on drift, 11 where a subject could not be checked, as far as the settings call that a failure; else 0."""
    found = {int(value) for name, value in result.metrics.items() if name.endswith(".status")}
    if Status.DRIFT in found and settings.fail_on_drift:
        return _DRIFT_EXIT
    return _NOT_CHECKED_EXIT if Status.NOT_CHECKED in found and settings.fail_on_unchecked else 0


STAGE = Stage(
    name="check_data_drift",
    settings_type=DriftSettings,
    run=check_data_drift,
    flags=(
        ValueFlag("features_path", "features_path", "features file (default: the workspace's)"),
        ValueFlag("reference_features_path", "reference_features_path", "features file to take the reference from"),
        ValueFlag("scores_path", "scores_path", "scores of the news (default: none are checked)"),
        ValueFlag("timing_bars_path", "timing_bars_path", "crypto bars of timing_observation (default: the newest)"),
        ValueFlag("model_folder", "model_folder", "folder of a trained model, in place of the registry's"),
        ValueFlag("model_version", "model_version", "registry version of the model (default: the champion)"),
    ),
    exit_status=exit_status,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
