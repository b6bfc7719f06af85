"""From a drifted feature to a person: the real stage, the real services, one message and its resolve."""

import json
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deployment.local_services import start_monitoring, stop_monitoring
from deployment.local_services.debian_programs import Program
from deployment.local_services.monitoring_table import monitoring_services
from deployment.local_services.processes import living_processes, recorded_services, start_service, stop_service
from experiment_tracking.metric_sinks import PushgatewaySink, Sample
from MLOps.metric_catalogue import DRIFT_STATUS
from MLOps.settings.project import project_root

pytestmark = [pytest.mark.services, pytest.mark.slow]
_TIMES = 5


@pytest.fixture(scope="module")
def make_features(
    make_prices: Callable[..., pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[float], Path]:
    """``make_features(wildness)``: a features file whose last quarter's returns are `wildness` times as large."""

    def make(wildness: float) -> Path:
        frame = make_prices(sessions=800).rename(columns={"session": "date", "ticker": "tic"})
        for _, rows in frame.groupby("tic").groups.items():
            close = frame.loc[rows, "close"].to_numpy()
            moves = np.diff(np.log(close), prepend=np.log(close[0]))
            moves[-63:] *= wildness
            factor = close[0] * np.exp(np.cumsum(moves)) / close
            frame.loc[rows, ["open", "high", "low", "close"]] *= factor[:, np.newaxis]
        path = tmp_path_factory.mktemp("features") / "features.parquet"
        frame.drop(columns="adjusted_close").to_parquet(path, index=False)
        return path

    return make


def _check_drift(live: Any, features: Path) -> int:
    """Exit status of the stage, which pushes what it finds."""
    command = [
        sys.executable,
        "monitoring/scripts/check_data_drift.py",
        f"--workspace={live.settings.paths.workspace}",
        f"--features_path={features}",
        "subjects=[features]",
        "tracking.enabled=false",
        "metrics.sink=pushgateway",
        f"ports.pushgateway={live.settings.ports.pushgateway}",
    ]
    return subprocess.run(command, cwd=project_root(), capture_output=True, check=False).returncode


def _statuses(live: Any, alert: str) -> list[str]:
    return [each.status for each in live.notifications(alert)]


def test_drift_makes_one_message_and_its_end_another(
    live_monitoring: Any, make_features: Callable[[float], Path]
) -> None:
    live = live_monitoring
    assert _check_drift(live, make_features(4)) == 10
    live.wait_for(lambda: _statuses(live, "DriftFound"), "the notification")
    (notification,) = live.notifications("DriftFound")
    (alert,) = notification.alerts
    assert alert.labels == {"alertname": "DriftFound", "severity": "warning", "subject": "features"}
    assert alert.annotations["summary"] == "features drifted"
    assert _check_drift(live, make_features(1)) == 0
    live.wait_for(lambda: len(_statuses(live, "DriftFound")) > 1, "the resolve")
    assert _statuses(live, "DriftFound") == ["firing", "resolved"]
    assert live.get("alert_receiver", "/alerts") == []


def test_seconds_from_a_push_to_the_message(
    live_monitoring: Any, capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    """Tells how long it takes and asserts nothing on it: each push makes one message, and nothing is lost."""
    live = live_monitoring
    sink = PushgatewaySink(live.url("pushgateway"), timeout_seconds=10)
    before, seconds = len(_statuses(live, "DriftFound")), {"firing": [], "resolved": []}
    for number in range(2 * _TIMES):
        status, value = ("firing", 1.0) if number % 2 == 0 else ("resolved", 0.0)
        started = time.perf_counter()
        sink.replace("latency", [Sample(DRIFT_STATUS, value, ("latency",))])
        live.wait_for(lambda count=before + number: len(_statuses(live, "DriftFound")) > count, status)
        seconds[status].append(time.perf_counter() - started)
    assert _statuses(live, "DriftFound")[before:] == ["firing", "resolved"] * _TIMES
    with capsys.disabled():
        for status, found in seconds.items():
            record_property(status, statistics.median(found))
            print(f"\npush to {status}: median {statistics.median(found):.1f} s of {len(found)}", end="")  # noqa: T201


def _post_alert(live: Any, **labels: str) -> None:
    """Tell Alertmanager of an alert that fires for an hour."""
    body = [{"labels": labels, "endsAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}]
    request = urllib.request.Request(
        live.url("alertmanager") + "/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()


def test_what_cannot_be_asked_is_not_told_as_stale(live_monitoring: Any) -> None:
    live = live_monitoring
    _post_alert(live, alertname="TargetDown", job="pushgateway", severity="critical")
    live.wait_for(lambda: _statuses(live, "TargetDown"), "the notification")
    _post_alert(live, alertname="PushGroupStale", job="score_news", severity="warning")
    _post_alert(live, alertname="DriftNotChecked", subject="actions", severity="warning")
    live.wait_for(lambda: _statuses(live, "DriftNotChecked"), "the notification that came after it")
    (stale,) = live.get("alertmanager", "/api/v2/alerts?filter=alertname%3DPushGroupStale")
    assert stale["status"]["state"] == "suppressed"
    assert _statuses(live, "PushGroupStale") == []


@pytest.mark.parametrize("source", ["StageFailedForGood", "ValidationFailed", "TrainingDiverged"])
@pytest.mark.parametrize("needless", ["StageFailed", "TrainingFailed"])
def test_one_failure_is_not_told_twice(live_monitoring: Any, source: str, needless: str) -> None:
    live, stage = live_monitoring, f"{source}_{needless}"
    _post_alert(live, alertname=source, stage=stage, severity="critical")
    for failed in (stage, f"another_than_{stage}"):
        _post_alert(live, alertname=needless, stage=failed, severity="critical")

    def states() -> dict[str, str]:
        alerts = live.get("alertmanager", f"/api/v2/alerts?filter=alertname%3D{needless}")
        found = {alert["labels"]["stage"]: alert["status"]["state"] for alert in alerts}
        return {name: state for name, state in found.items() if name.endswith(stage)}

    expected = {stage: "suppressed", f"another_than_{stage}": "active"}
    live.wait_for(lambda: states() == expected, "one that is told and one that is not")


def test_the_heartbeat_beats(live_monitoring: Any) -> None:
    live, interval = live_monitoring, live_monitoring.settings.monitoring.heartbeat_interval_seconds
    age = lambda: live.get("alert_receiver", "/health")["heartbeat_age_seconds"]  # noqa: E731
    live.wait_for(lambda: live.get("alertmanager", "/api/v2/alerts?filter=alertname%3DWatchdog"), "Watchdog")
    live.wait_for(lambda: age() <= interval, "a heartbeat")
    assert live.notifications("Watchdog") == [], "a heartbeat is no message for a person"


def test_every_rule_is_evaluated(live_monitoring: Any) -> None:
    def healths() -> set[str] | None:
        groups = live_monitoring.get("prometheus", "/api/v1/rules")["data"]["groups"]
        found = {rule["health"] for group in groups for rule in group["rules"]}
        return None if "unknown" in found else found

    assert live_monitoring.wait_for(healths, "an evaluation of every rule") == {"ok"}


def test_silence_of_alertmanager_is_told_and_so_is_its_return(
    live_monitoring: Any, programs: dict[str, Program]
) -> None:
    live, name = live_monitoring, "prometheus-alertmanager"
    folder = start_monitoring.monitoring_group(live.settings).folder
    (record,) = (record for record in recorded_services(folder) if record.name == name)
    stop_service(record, folder, timeout_seconds=10)
    live.wait_for(lambda: _statuses(live, "AlertingSilent"), "the alarm")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        live.get("alert_receiver", "/health")
    (service,) = (each for each in monitoring_services(live.settings, programs) if each.name == name)
    start_service(name, service.command, service.environment, project_root(), folder)
    live.wait_for(lambda: len(_statuses(live, "AlertingSilent")) > 1, "the end of the alarm")
    assert _statuses(live, "AlertingSilent") == ["firing", "resolved"]


def test_nothing_stays_after_the_services_are_stopped(live_monitoring: Any, programs: dict[str, Program]) -> None:
    group = start_monitoring.monitoring_group(live_monitoring.settings)
    records = recorded_services(group.folder)
    services = monitoring_services(live_monitoring.settings, programs)
    assert sorted(group.running()) == sorted(service.name for service in services)
    assert stop_monitoring.main(live_monitoring.overrides) == 0
    assert [living_processes(record) for record in records] == [[]] * len(records)
