"""Every panel's query is answered with data by a live Prometheus, after the whole strategy ran and was looked at."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from MLOps.alert_events import StageFailedEvent, write_event
from MLOps.settings.project import project_root
from monitoring.dashboards.grafana.write_dashboards import dashboards_folder

_FROM_AIRFLOW = """
airflow.scheduler_heartbeat:1|c
airflow.dag_processor_heartbeat:1|c
airflow.triggerer_heartbeat:1|c
airflow.executor.running_tasks:1|g
airflow.executor.queued_tasks:0|g
airflow.executor.open_slots:3|g
airflow.ti.finish,dag_id=daily_data,task_id=ingest_data,state=success:1|c
airflow.dagrun.duration.success,dag_id=daily_data:61000|ms
"""
pytestmark = [pytest.mark.services, pytest.mark.slow]
_LOOK_BACK_SECONDS = 600
_SMALL_DRIFT = {
    "market.current_rows": 30,
    "market.reference_rows": 150,
    "market.minimum_current_rows": 10,
    "report_columns": 0,
    "fail_on_drift": False,
    "fail_on_unchecked": False,
}


@pytest.fixture
def demo(live_monitoring: Any, workspace: Path, small_strategy: dict[str, Any]) -> None:
    """The real stages on little data, all of which report to the live Pushgateway."""
    ports = live_monitoring.settings.ports
    everywhere = {
        "paths.workspace": str(workspace),
        "tracking.enabled": False,
        "registry.kind": "filesystem",
        "metrics.sink": "pushgateway",
        "ports.pushgateway": ports.pushgateway,
        "ports.alertmanager": ports.alertmanager,
    }
    episodes = {"training.total_timesteps": 1024}  # a reward is told once an episode has ended
    _run("-m", "pipelines.orchestration.run_strategy", "full_strategy", **everywhere, **small_strategy | episodes)
    _run("pipelines/signal_rate/measure_signal_rates.py", **everywhere, windows=[5])  # a second run has a history
    _run("monitoring/scripts/check_freshness.py", **everywhere)
    _run("monitoring/scripts/check_champions.py", **everywhere)
    _run("monitoring/scripts/check_data_drift.py", **everywhere, **_SMALL_DRIFT)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as airflow:  # which is not run here: packets as it sends them
        airflow.sendto(_FROM_AIRFLOW.encode(), ("127.0.0.1", ports.airflow_statsd))
    write_event(workspace / "reports", _failure())
    _run("-m", "monitoring.alerts.deliver_alerts", **everywhere, **{"retraining.enabled": False})  # no Airflow runs


def _run(*command: str, **overrides: object) -> None:
    told = [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
    ended = subprocess.run(
        [sys.executable, *command, *told], cwd=project_root(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]


def _failure() -> StageFailedEvent:
    return StageFailedEvent(
        event="stage_failed",
        status="firing",
        at=datetime.now(UTC),
        run_date=None,
        message="the source is late",
        log_url="",
        plan="daily_data",
        stage="ingest_data",
        run_id="demo",
        try_number=1,
    )


def _targets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every query of every panel, with where it stands."""
    for path in sorted(dashboards_folder().glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem}: {panel['title']}: {target['expr']}", target


def _answer(live: Any, target: dict[str, Any]) -> list[Any]:
    """The series that Prometheus answers to a query as Grafana asks it: now, or over a while until now."""
    now = time.time()
    span = {"start": now - _LOOK_BACK_SECONDS, "end": now, "step": 5} if target["range"] else {"time": now}
    path = "query_range" if target["range"] else "query"
    answer = live.get("prometheus", f"/api/v1/{path}?{urlencode({'query': target['expr'], **span})}")
    found: list[Any] = answer["data"]["result"]
    return found


@pytest.mark.usefixtures("demo")
def test_every_panel_is_answered_with_data(live_monitoring: Any) -> None:
    live, waiting = live_monitoring, dict(_targets())
    assert len(waiting) > 50

    def all_answered() -> bool:
        for place in [place for place, target in waiting.items() if _answer(live, target)]:
            del waiting[place]
        return not waiting

    try:
        live.wait_for(all_answered, "an answer to every query")
    except AssertionError:
        assert sorted(waiting) == []
