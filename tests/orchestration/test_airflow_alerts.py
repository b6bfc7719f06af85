"""Callbacks of Airflow: failures, recoveries and late runs as alert events, delivered by a process."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from MLOps.alert_events import AlertEvent, read_events
from pipelines.orchestration.load_plan import load_plan

STARTED = datetime.now(UTC) + timedelta(days=1)  # later than any event of a test


@pytest.fixture(scope="module", autouse=True)
def _airflow_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Airflow writes its configuration where it is first imported: not in a person's home."""
    import os

    os.environ.setdefault("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow_home")))


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What delivery was started with, in place of a process."""
    from pipelines.orchestration import airflow_alerts

    started: list[dict[str, str]] = []
    monkeypatch.setattr(airflow_alerts, "deliver", started.append)
    return started


@pytest.fixture(scope="module")
def dag() -> Any:
    from pipelines.orchestration.airflow_chain import chain

    return chain(load_plan("full_strategy"))


@pytest.fixture
def context(dag: Any, workspace: Path) -> Callable[..., Any]:
    """A maker of what Airflow hands to the callbacks of a task."""

    def make(stage: str = "build_features", run_id: str = "manual__1", **changes: Any) -> dict[str, Any]:
        run = {
            "run_id": run_id,
            "conf": {"paths.workspace": str(workspace), "ports.alertmanager": 19093, "training.seed": 3},
            "logical_date": None,
            "run_after": datetime(2024, 3, 6, tzinfo=UTC),
        }
        task = SimpleNamespace(task_id=stage, try_number=2, log_url="http://127.0.0.1:8080/log", start_date=STARTED)
        return {"dag": dag, "dag_run": SimpleNamespace(**run), "ti": task, **changes}

    return make


def _events(workspace: Path) -> list[AlertEvent]:
    events, unreadable = read_events(workspace / "reports")
    assert not unreadable
    return events


def test_a_failure_told_twice_is_one_alert(
    context: Callable[..., Any], workspace: Path, delivered: list[dict[str, str]]
) -> None:
    from pipelines.orchestration.airflow_alerts import tell_failure

    for _ in range(2):
        tell_failure(context(exception=RuntimeError("close is NaN\nin row 7")))
    (path,) = (workspace / "reports" / "alerts").iterdir()
    event = json.loads(path.read_text())
    assert event["message"] == "close is NaN in row 7"
    assert (event["event"], event["stage"], event["try_number"]) == ("stage_failed", "build_features", 2)
    assert event["run_date"] == "2024-03-05"
    assert delivered[0] == {  # what delivery must know of the run, and no setting of a stage
        "paths.workspace": f'paths.workspace="{workspace}"',
        "ports.alertmanager": "ports.alertmanager=19093",
    }


def test_an_alert_holds_no_password(
    context: Callable[..., Any], workspace: Path, delivered: list[dict[str, str]]
) -> None:
    from pipelines.orchestration.airflow_alerts import tell_failure

    tell_failure(context(exception=OSError("no answer from http://me:secret@host/mlflow")))
    (event,) = _events(workspace)
    assert event.message == "no answer from http://***@host/mlflow"
    assert len(delivered) == 1


def test_a_success_ends_the_failure_of_its_stage_alone(
    context: Callable[..., Any], workspace: Path, delivered: list[dict[str, str]]
) -> None:
    from pipelines.orchestration.airflow_alerts import tell_failure, tell_success

    for stage in ("ingest_data", "build_features"):
        tell_failure(context(stage, exception=RuntimeError("no")))
    tell_success(context("ingest_data", run_id="manual__2"))
    *_, last = _events(workspace)
    assert (last.status, last.subject) == ("resolved", {"plan": "full_strategy", "stage": "ingest_data"})
    assert (len(_events(workspace)), len(delivered)) == (3, 2)


def test_a_success_like_any_other_delivers_nothing(
    context: Callable[..., Any], workspace: Path, delivered: list[dict[str, str]]
) -> None:
    from pipelines.orchestration.airflow_alerts import tell_success

    tell_success(context())
    assert (_events(workspace), delivered) == ([], [])


def test_what_a_stage_told_while_it_ran_is_delivered(
    context: Callable[..., Any], delivered: list[dict[str, str]]
) -> None:
    from pipelines.orchestration.airflow_alerts import tell_failure, tell_success

    tell_failure(context("ingest_data", exception=RuntimeError("no")))
    running = context()
    running["ti"].start_date = datetime(2024, 3, 6, tzinfo=UTC)  # before that event
    tell_success(running)
    assert len(delivered) == 2


def test_a_late_run_is_told_and_ended_by_the_last_step(
    context: Callable[..., Any], workspace: Path, delivered: list[dict[str, str]]
) -> None:
    from pipelines.orchestration.airflow_alerts import tell_late, tell_success

    conf = {"paths.workspace": str(workspace), "run_date": "2024-03-05"}
    run = {"dag_id": "full_strategy", "dag_run_id": "manual__1", "conf": conf}
    tell_late({"dag_run": run | {"state": "failed"}, "deadline": {}})  # that was told as such
    assert _events(workspace) == []
    tell_late({"dag_run": run | {"state": "running"}, "deadline": {}})
    (event,) = _events(workspace)
    assert (event.event, event.status, str(event.run_date)) == ("run_late", "firing", "2024-03-05")
    assert delivered == [{"paths.workspace": f'paths.workspace="{workspace}"'}]
    tell_success(context("build_features"))
    assert len(_events(workspace)) == 1
    tell_success(context("promote_to_paper"))
    assert [(event.event, event.status) for event in _events(workspace)] == [
        ("run_late", "firing"),
        ("run_late", "resolved"),
    ]


def test_delivery_is_a_process_that_tells_what_it_could_not_do(
    workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from pipelines.orchestration.airflow_alerts import deliver

    (workspace / "reports" / "alerts").mkdir(parents=True)
    (workspace / "reports" / "alerts" / "broken.json").write_text("{")
    with caplog.at_level(logging.WARNING, "pipelines"):
        deliver({"paths.workspace": f"paths.workspace='{workspace}'"})
    assert "no alert event: broken.json" in caplog.text
    assert (workspace / "reports" / "alert_delivery" / "delivery.json").is_file()
