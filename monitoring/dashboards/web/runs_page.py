"""Page of the runs: how the last run of each stage ended, and the runs that MLflow keeps."""

import streamlit as st

from experiment_tracking.recent_runs import RecordedRun, recent_runs
from MLOps.settings.dashboard import DashboardSettings
from monitoring.dashboards.web.render_blocks import Cell, Chip, Column, empty, heading, section, table
from monitoring.dashboards.web.show_parts import read_or_say
from monitoring.dashboards.web.stage_health import StageHealth, read_stage_health
from monitoring.dashboards.web.wording import duration, moment
from monitoring.drift.verdict import Status

_STAGES = (
    Column("Stage", "strong"),
    Column("Last run"),
    Column("Ended, UTC", "short minor"),
    Column("Took", "number"),
    Column("Usually", "number minor"),
)
_RUNS = (
    Column("Stage", "strong"),
    Column("State"),
    Column("Began, UTC", "short"),
    Column("Ended, UTC", "short minor"),
    Column("Commit", "short minor"),
    Column("Run", "short minor"),
)
_STATES = {
    "FINISHED": Chip("finished", "good"),
    "FAILED": Chip("failed", "bad"),
    "KILLED": Chip("killed", "note"),
    "RUNNING": Chip("running", "model"),
}

_ANSWERS = {
    Status.DRIFT: Chip("found drift", "bad"),
    Status.NOT_CHECKED: Chip("could not check", "note"),
}


def show_runs(settings: DashboardSettings) -> None:
    """Stages, then runs."""
    st.html(heading("Runs"))
    if health := read_stage_health(settings):
        st.html(section("Stages", "How the last run of each ended."))
        st.html(stage_table(health))
    runs = read_or_say(lambda: recent_runs(settings, settings.dashboard.shown_runs))
    if runs:
        lead = f"The newest {len(runs)} that MLflow keeps; a + marks code that was altered since its commit."
        st.html(section("Tracked runs", lead))
        st.html(table(_RUNS, [_run_row(run) for run in runs]))
    elif runs is not None:
        st.html(
            empty(
                "No run yet",
                "Every run of a stage is recorded here, with its state and its code.",
                "python -m pipelines.orchestration.run_strategy full_strategy",
            )
        )


def stage_table(health: list[StageHealth]) -> str:
    """The last run of each stage."""
    return table(_STAGES, [_stage_row(each) for each in health])


def _stage_row(health: StageHealth) -> tuple[Cell, ...]:
    return (
        health.stage,
        _ended(health),
        moment(health.ended_at),
        duration(health.seconds),
        duration(health.usual_seconds),
    )


def _ended(health: StageHealth) -> tuple[Chip, ...]:
    """How a run ended; of a check, what it found: one that could not check did not end well."""
    if not health.succeeded:
        return (Chip("failed", "bad"),)
    found = tuple(chip for status, chip in _ANSWERS.items() if status in health.answers)
    return found or (Chip("ended well", "good"),)


def _run_row(run: RecordedRun) -> tuple[Cell, ...]:
    state = _STATES.get(run.status, Chip(run.status.lower()))
    return run.stage, (state,), moment(run.started_at), moment(run.ended_at), run.commit, run.run_id[:8]
