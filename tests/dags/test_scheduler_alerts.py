"""Alerts through the real scheduler: failure and recovery, a late run, drift that starts the strategy, own metrics."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from deployment.local_services.start_services import read_settings
from MLOps.alert_events import DriftFoundEvent, write_event
from monitoring.airflow_metrics.statsd_bridge import AirflowMetrics, StatsdServer
from monitoring.alerts import deliver_alerts
from monitoring.retraining.retraining_record import read_answers

pytestmark = pytest.mark.slow


@pytest.fixture
def told() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A stand-in for Alertmanager: its port, and the alerts that came."""
    alerts: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            alerts.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, alerts
        server.shutdown()
        thread.join()


@pytest.fixture
def metrics(running: list[str]) -> Iterator[CollectorRegistry]:
    """What the bridge makes of the packets that the services send."""
    registry = CollectorRegistry()
    with StatsdServer(read_settings(running).ports.airflow_statsd, AirflowMetrics(registry)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield registry
        server.shutdown()
        thread.join()


def _drift(reports: Path, check: str) -> None:
    event = DriftFoundEvent(
        event="drift_found",
        status="firing",
        at=datetime.now(UTC),
        run_date=date(2024, 3, 5),
        message="far off",
        log_url="",
        drift_subject="features",
        check=check,
        asks_retraining=True,
        pushed=False,
    )
    write_event(reports, event)


def test_failure_and_recovery_arrive_and_airflow_tells_its_own_metrics(
    airflow: Any, small_strategy: dict[str, Any], told: tuple[int, list[dict[str, Any]]], metrics: CollectorRegistry
) -> None:
    port, alerts = told
    airflow.pause("full_strategy", is_paused=True)  # the update of its asset is of no interest here
    airflow.pause("daily_data", is_paused=False)
    conf = {key: value for key, value in small_strategy.items() if key.startswith(("data.", "sources.", "versioning."))}
    conf |= {"ports.alertmanager": port}
    assert airflow.run("daily_data", conf | {"sources.folder.bars": "nowhere.csv"})["state"] == "failed"
    (failed,) = airflow.wait_for(lambda: list(alerts), "the alert")
    assert failed["labels"] == {
        "alertname": "StageFailedForGood",
        "plan": "daily_data",
        "severity": "critical",
        "stage": "ingest_data",
    }
    assert "nowhere.csv" in failed["annotations"]["description"]
    assert airflow.run("daily_data", conf)["state"] == "success"
    resolved = airflow.wait_for(lambda: alerts[1:], "its end")[-1]
    assert resolved["labels"] == failed["labels"]
    assert datetime.fromisoformat(resolved["endsAt"]) <= datetime.now(UTC)

    def ended(state: str) -> float | None:
        labels = {"dag_id": "daily_data", "task_id": "ingest_data", "state": state}
        return metrics.get_sample_value("airflow_ti_finish_total", labels)

    airflow.wait_for(lambda: (ended("failed"), ended("success")) == (1, 1), "Airflow's count of both tasks")
    assert (metrics.get_sample_value("airflow_scheduler_heartbeat_total") or 0) > 0


def test_a_late_run_arrives_and_drift_starts_the_strategy_within_its_budget(
    airflow: Any, running: list[str], small_strategy: dict[str, Any], told: tuple[int, list[dict[str, Any]]]
) -> None:
    port, alerts = told
    settings = read_settings(running)
    delivery = [*running, f"ports.alertmanager={port}", "retraining.daily_budget=1"]
    airflow.wait_for(lambda: airflow.call("/api/v2/assets?name_pattern=drift")["assets"], "Airflow's view of the asset")
    for check in ("first", "second"):
        _drift(settings.paths.reports, check)
        assert deliver_alerts.main(delivery) == 0
    assert [answer.outcome for answer in read_answers(settings.paths.reports).answers] == ["started", "refused"]
    # While the run is queued, Airflow 3.3.2 answers a question for its event with status 500.
    (run,) = airflow.wait_for(
        lambda: [run for run in airflow.runs("full_strategy") if run["start_date"]], "the run that drift starts"
    )
    (event,) = airflow.call("/api/v2/assets/events")["asset_events"]
    assert (event["extra"]["reason"], event["extra"]["run_date"]) == ("drift of features", "2024-03-05")
    assert [created["run_id"] for created in event["created_dagruns"]] == [run["dag_run_id"]]
    assert run["run_type"] == "asset_triggered"
    airflow.call(f"/api/v2/dags/full_strategy/dagRuns/{run['dag_run_id']}", {"state": "failed"}, "PATCH")

    late = airflow.trigger("full_strategy", small_strategy | {"ports.alertmanager": port})
    with sqlite3.connect(settings.paths.workspace / ".airflow" / "airflow.db", timeout=60) as database:
        moved = database.execute("update deadline set deadline_time = datetime('now', '-1 minute')").rowcount
    assert moved >= 1
    (alert,) = airflow.wait_for(
        lambda: [alert for alert in alerts if alert["labels"]["alertname"] == "RunLate"], "the alert of the late run"
    )
    assert alert["labels"] == {"alertname": "RunLate", "plan": "full_strategy", "severity": "warning"}
    (file,) = (settings.paths.reports / "alerts").glob("RunLate-*")
    assert "manual__" in file.name  # the run that was failed above is late no more
    airflow.call(f"/api/v2/dags/full_strategy/dagRuns/{late['dag_run_id']}", {"state": "failed"}, "PATCH")
