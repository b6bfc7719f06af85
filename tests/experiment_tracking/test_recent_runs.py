"""The newest runs of all stages come back from MLflow, and nothing else does."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from experiment_tracking.mlflow_utils import experiment_id, open_client
from experiment_tracking.recent_runs import recent_runs
from MLOps.errors import ServiceUnavailableError
from MLOps.settings.compose import compose_settings
from MLOps.settings.dashboard import DashboardSettings

_START_MS = 1_709_676_000_000  # 2024-03-05 22:00 UTC


def _settings(workspace: Path, *overrides: str) -> DashboardSettings:
    return compose_settings(DashboardSettings, "dashboard", [f"paths.workspace='{workspace}'", *overrides])


def test_nothing_was_tracked_and_no_store_is_made(workspace: Path) -> None:
    assert recent_runs(_settings(workspace), 5) == []
    assert list(workspace.iterdir()) == []


def test_newest_runs_of_stages_come_first(tracked_workspace: Path) -> None:
    settings = _settings(tracked_workspace)
    assert recent_runs(settings, 5) == []  # a store without the experiment
    client = open_client(settings)
    experiment = experiment_id(client, settings)
    for number, stage in enumerate(["ingest_data", "build_features", "train_rl_agent"]):
        tags = {"stage": stage, "git.commit": f"{number}" * 40, "git.dirty": str(number == 1).lower()}
        run = client.create_run(experiment, start_time=_START_MS + number, tags=tags)
        if number < 2:
            client.set_terminated(run.info.run_id, "FAILED", end_time=_START_MS + 60_000)
    client.create_run(experiment, start_time=_START_MS + 9)  # of a model that no run made
    newest, second = recent_runs(settings, 2)
    assert (newest.stage, newest.status, newest.ended_at, newest.commit) == (
        "train_rl_agent",
        "RUNNING",
        None,
        "22222222",
    )
    assert (second.stage, second.status, second.commit) == ("build_features", "FAILED", "11111111+")
    assert second.ended_at == datetime(2024, 3, 5, 22, 1, tzinfo=UTC)


def test_unknown_code_has_no_commit(tracked_workspace: Path) -> None:
    settings = _settings(tracked_workspace)
    client = open_client(settings)
    tags = {"stage": "ingest_data", "git.commit": "unknown", "git.dirty": "true"}
    client.create_run(experiment_id(client, settings), tags=tags)
    assert [run.commit for run in recent_runs(settings, 5)] == [""]


def test_server_that_is_down_is_told(workspace: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match="does not answer"):
        recent_runs(_settings(workspace, "tracking.uri=http://127.0.0.1:9"), 5)
