"""What tests of rules and dashboards share: the names that an expression asks for, and live services."""

import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import promql_parser
import pytest

from deployment.local_services.debian_programs import PROGRAMS, Program, find_programs, programs_folder
from deployment.local_services.monitoring_table import monitoring_home
from deployment.local_services.start_monitoring import monitoring_group, read_settings, start_monitoring
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from monitoring.alerts.alert_journal import journal_path, read_journal
from monitoring.alerts.notification import Notification

_PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.05
FoundT = TypeVar("FoundT")


@pytest.fixture(scope="session")
def metrics_asked() -> Callable[[str], set[str]]:
    """``metrics_asked(expression)``: names of the metrics that an expression of PromQL asks for."""

    def names(expression: str) -> set[str]:
        found: set[str] = set()
        waiting: list[Any] = [promql_parser.parse(expression)]
        while waiting:
            node = waiting.pop()
            if isinstance(node, promql_parser.VectorSelector):
                found.add(node.name)
            parts = [getattr(node, part, None) for part in ("lhs", "rhs", "expr", "param", "vector_selector")]
            waiting += [part for part in (*parts, *getattr(node, "args", ())) if part is not None]
        return found

    return names


@pytest.fixture(scope="session")
def programs() -> dict[str, Program]:
    """Prometheus and its company; without them the test is skipped."""
    found = find_programs(programs_folder())
    missing = [name for name in PROGRAMS if name not in found]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed; python -m deployment.local_services.debian_programs")
    return found


@dataclass(frozen=True)
class Monitoring:
    """Live services of the test's own."""

    settings: MonitoringServicesSettings
    overrides: list[str]

    @property
    def home(self) -> Path:
        return monitoring_home(self.settings)

    def url(self, service: str) -> str:
        """Address of a service, by the key of its port."""
        return f"http://127.0.0.1:{getattr(self.settings.ports, service)}"

    def get(self, service: str, path: str) -> Any:
        """What a service answers to a GET, as JSON."""
        with urllib.request.urlopen(self.url(service) + path, timeout=10) as answer:
            return json.loads(answer.read())

    def notifications(self, alert: str) -> list[Notification]:
        """What came about an alert, the oldest first."""
        received = read_journal(journal_path(self.settings.paths.reports))
        return [each.notification for each in received if each.notification.alerts[0].name == alert]

    def wait_for(self, look: Callable[[], FoundT | None], what: str) -> FoundT:
        """What `look` finds, looked for until it is there."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(_LOOK_SECONDS)  # other programs work meanwhile; there is nothing to wait on
        raise AssertionError(f"{what} did not come within {_PATIENCE_SECONDS:.0f} s; logs: {self.home / 'services'}")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def live_monitoring(
    programs: dict[str, Program],  # noqa: ARG001 - skips where they are missing, so that no test fetches them
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Monitoring]:
    """The monitoring services, quick, in a workspace and on ports of their own; no Airflow listens on its port."""
    names = (
        "prometheus",
        "pushgateway",
        "alertmanager",
        "alert_receiver",
        "airflow",
        "airflow_metrics",
        "airflow_statsd",
    )
    overrides = [
        f"paths.workspace='{tmp_path_factory.mktemp('monitored')}'",
        *(f"ports.{name}={port}" for name, port in zip(names, _free_ports(len(names)), strict=True)),
        "monitoring.scrape_interval_seconds=1",
        "monitoring.evaluation_interval_seconds=1",
        "monitoring.group_wait_seconds=0",
        "monitoring.group_interval_seconds=1",
        "monitoring.heartbeat_interval_seconds=1",
        "monitoring.heartbeat_limit_seconds=30",
    ]
    settings = read_settings(overrides)
    try:
        start_monitoring(settings, lambda _: None)
        yield Monitoring(settings, overrides)
    finally:
        monitoring_group(settings).stop(lambda _: None)
