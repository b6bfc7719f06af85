"""What `make up` and `make down` refuse and say; the services themselves run in tests/dags/test_scheduler.py."""

import socket
from pathlib import Path

import pytest

from deployment.local_services import start_services, stop_services


@pytest.fixture
def overrides(workspace: Path) -> list[str]:
    """A workspace of the test's own."""
    return [f"paths.workspace='{workspace}'"]


def test_a_taken_port_is_told_before_anything_starts(
    overrides: list[str], workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert start_services.main([*overrides, f"ports.airflow={port}"]) == 4
    told = capfd.readouterr().err.splitlines()
    assert told == [
        f"port {port} is in use by another program; allowed: a free port; mend: ports.airflow=PORT or stop that program"
    ]
    assert not (workspace / ".airflow").exists()


def test_a_wrong_setting_is_told(overrides: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert start_services.main([*overrides, "services.airflow_parallelism=0"]) == 2
    assert "services.airflow_parallelism=0" in capfd.readouterr().err


def test_down_without_up_says_so(overrides: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert stop_services.main(overrides) == 0
    assert capfd.readouterr().err == "no service was running\n"
