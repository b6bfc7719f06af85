"""The configuration files agree with the settings, and Prometheus' and Alertmanager's own tools take them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.local_services.debian_programs import Program
from deployment.local_services.monitoring_table import monitoring_home, monitoring_services, write_configuration
from deployment.local_services.start_monitoring import read_settings
from MLOps.settings.monitoring_services import MonitoringServicesSettings

_PORTS = {
    "airflow_metrics": 21102,
    "predictor": 21500,
    "prometheus": 21090,
    "pushgateway": 21091,
    "alertmanager": 21093,
    "alert_receiver": 21095,
}


@pytest.fixture
def settings(tmp_path: Path) -> MonitoringServicesSettings:
    place = tmp_path / 'it\'s a "place": #1'
    workspace = str(place).replace("'", "\\'")
    return read_settings([f"paths.workspace='{workspace}'", *(f"ports.{name}={port}" for name, port in _PORTS.items())])


@pytest.fixture
def home(settings: MonitoringServicesSettings) -> Path:
    write_configuration(settings)
    return monitoring_home(settings)


def _loaded(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def test_prometheus_asks_and_alerts_on_the_ports_of_the_settings(home: Path) -> None:
    loaded = _loaded(home / "prometheus.yaml")
    asked = {job["job_name"]: job["static_configs"][0]["targets"] for job in loaded["scrape_configs"]}
    ports = {name: _PORTS[name] for name in ("pushgateway", "prometheus", "alertmanager")}
    ports |= {"airflow": _PORTS["airflow_metrics"], "predictor": _PORTS["predictor"]}
    assert asked == {name: [f"127.0.0.1:{port}"] for name, port in ports.items()}
    (alertmanager,) = loaded["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["127.0.0.1:21093"]}]


def test_a_pushed_sample_keeps_its_job(home: Path) -> None:
    jobs = {job["job_name"]: job for job in _loaded(home / "prometheus.yaml")["scrape_configs"]}
    assert jobs["pushgateway"]["honor_labels"] is True


def test_alertmanager_sends_to_the_receiver_of_the_settings(home: Path) -> None:
    receivers = _loaded(home / "alertmanager.yaml")["receivers"]
    addresses = [hook["url"] for receiver in receivers for hook in receiver["webhook_configs"]]
    assert addresses == ["http://127.0.0.1:21095/notifications", "http://127.0.0.1:21095/heartbeat"]


def test_times_are_those_of_the_settings(home: Path, settings: MonitoringServicesSettings) -> None:
    route, times = _loaded(home / "alertmanager.yaml")["route"], settings.monitoring
    assert route["group_wait"] == f"{times.group_wait_seconds}s"
    assert route["repeat_interval"] == f"{times.repeat_interval_hours * 3600:.0f}s"
    assert _loaded(home / "prometheus.yaml")["global"]["scrape_interval"] == f"{times.scrape_interval_seconds}s"


def test_every_flush_of_the_heartbeat_beats(home: Path, settings: MonitoringServicesSettings) -> None:
    """A flush is skipped within repeat_interval of the last message, so that must be far less than the interval."""
    (route,) = _loaded(home / "alertmanager.yaml")["route"]["routes"]
    assert route["group_interval"] == f"{settings.monitoring.heartbeat_interval_seconds}s"
    assert route["repeat_interval"] == "1ms"


def test_every_server_listens_on_this_machine_only(settings: MonitoringServicesSettings) -> None:
    programs = {
        name: Program(Path(name)) for name in ("prometheus", "prometheus-pushgateway", "prometheus-alertmanager")
    }
    commands = {service.name: service.command for service in monitoring_services(settings, programs)}
    listening = {
        name: [flag for flag in command if "listen-address" in flag]
        for name, command in commands.items()
        if name in programs
    }
    assert listening == {
        "prometheus": ["--web.listen-address=127.0.0.1:21090"],
        "prometheus-pushgateway": ["--web.listen-address=127.0.0.1:21091"],
        "prometheus-alertmanager": ["--web.listen-address=127.0.0.1:21093", "--cluster.listen-address="],
    }


def _run(program: Program, *arguments: str | Path) -> str:
    ended = subprocess.run([program.path, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.services
def test_promtool_takes_prometheus_yaml_with_all_rules(home: Path, programs: dict[str, Program]) -> None:
    told = _run(programs["promtool"], "check", "config", home / "prometheus.yaml")
    assert "4 rule files found" in told


@pytest.mark.services
def test_amtool_takes_alertmanager_yaml(home: Path, programs: dict[str, Program]) -> None:
    told = _run(programs["amtool"], "check-config", home / "alertmanager.yaml")
    assert "2 receivers" in told


@pytest.mark.services
@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("dead_mans_switch", ["alertname=Watchdog", "severity=none"]),
        ("webhook", ["alertname=DriftFound", "severity=warning", "subject=features"]),
        ("webhook", ["alertname=NoChampion", "severity=critical", "family=strategy"]),
        ("webhook", ["alertname=SomethingNew"]),
    ],
)
def test_alert_goes_to_its_receiver(home: Path, programs: dict[str, Program], receiver: str, labels: list[str]) -> None:
    file = f"--config.file={home / 'alertmanager.yaml'}"
    told = _run(programs["amtool"], "config", "routes", "test", file, f"--verify.receivers={receiver}", *labels)
    assert told.strip() == receiver
