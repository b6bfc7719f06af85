"""What `make services-up` and `make services-down` refuse, say and leave."""

import socket
from pathlib import Path

import pytest

from deployment.local_services import start_monitoring, stop_monitoring
from deployment.local_services.debian_programs import Program
from experiment_tracking.find_gateway import gateway_file
from MLOps.errors import ServiceUnavailableError


@pytest.fixture
def overrides(workspace: Path) -> list[str]:
    """A workspace and ports of the test's own."""
    probes = [socket.socket() for _ in range(6)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    names = (
        *("prometheus", "pushgateway", "alertmanager", "alert_receiver"),
        *("airflow_metrics", "airflow_statsd"),
    )
    return [
        f"paths.workspace='{workspace}'",
        *(f"ports.{name}={port}" for name, port in zip(names, ports, strict=True)),
    ]


def _use(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    servers = ("prometheus", "prometheus-pushgateway", "prometheus-alertmanager")
    monkeypatch.setattr(start_monitoring, "require_programs", lambda _: {name: Program(Path(path)) for name in servers})


def test_a_taken_port_is_told_before_anything_starts(
    overrides: list[str], workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert start_monitoring.main([*overrides, f"ports.alertmanager={port}"]) == 4
    assert capfd.readouterr().err.splitlines() == [
        f"port {port} is in use by another program; allowed: a free port; "
        "mend: ports.alertmanager=PORT or stop that program"
    ]
    assert list(workspace.iterdir()) == []


def test_a_limit_that_every_pause_would_break_is_refused(
    overrides: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert start_monitoring.main([*overrides, "monitoring.heartbeat_limit_seconds=120"]) == 2
    assert "heartbeat_limit_seconds=120 must be more than twice heartbeat_interval_seconds=60" in capfd.readouterr().err


def test_a_server_that_ends_at_once_is_told_and_none_stays(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _use(monkeypatch, "/bin/false")
    assert start_monitoring.main(overrides) == 4
    assert "ended at once; mend: the logs in" in capfd.readouterr().err
    assert start_monitoring.monitoring_group(start_monitoring.read_settings(overrides)).running() == []


def test_down_without_up_says_so(overrides: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert stop_monitoring.main(overrides) == 0
    assert capfd.readouterr().err == "no service was running\n"


def test_down_takes_away_what_tells_stages_where_to_push(overrides: list[str], workspace: Path) -> None:
    told = gateway_file(workspace)
    told.parent.mkdir()
    told.write_text("http://127.0.0.1:1")
    assert stop_monitoring.main(overrides) == 0
    assert not told.exists()


def test_missing_programs_are_told(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(_folder: Path) -> dict[str, Program]:
        raise ServiceUnavailableError("apt-get is not here", mend="install prometheus")

    monkeypatch.setattr(start_monitoring, "require_programs", refuse)
    assert start_monitoring.main(overrides) == 4
    assert capfd.readouterr().err == "apt-get is not here; mend: install prometheus\n"
