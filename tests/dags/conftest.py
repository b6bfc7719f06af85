"""Airflow's real services on ports of the test's own, and its REST API."""

import json
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployment.local_services import start_services, stop_services
from deployment.local_services.airflow_environment import airflow_password, airflow_url
from deployment.local_services.start_services import read_settings

_PATIENCE_SECONDS = 1200


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def running(tracked_workspace: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """The overrides of the services that run, in a workspace and on ports of the test's own."""
    overrides = [
        f"paths.workspace='{tracked_workspace}'",
        f"ports.airflow={_free_port()}",
        f"ports.mlflow={_free_port()}",
        f"ports.airflow_statsd={_free_port()}",
    ]
    try:
        assert start_services.main(overrides) == 0
        told, settings = capfd.readouterr().out, read_settings(overrides)
        assert airflow_url(settings) in told
        assert airflow_password(settings) in told
        yield overrides
    finally:
        stop_services.main(overrides)


class AirflowApi:
    """Airflow's REST API, logged in as a person would."""

    def __init__(self, overrides: list[str]) -> None:
        settings = read_settings(overrides)
        self._url = airflow_url(settings)
        login = {"username": settings.services.airflow_user, "password": airflow_password(settings)}
        self._token = self.call("/auth/token", login)["access_token"]

    def call(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if hasattr(self, "_token"):
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from error
        return found

    def pause(self, dag: str, is_paused: bool) -> None:
        self.call(f"/api/v2/dags/{dag}", {"is_paused": is_paused}, "PATCH")

    def trigger(self, dag: str, conf: dict[str, Any]) -> dict[str, Any]:
        """Start a run."""
        return self.call(f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """All runs of a DAG."""
        found: list[dict[str, Any]] = self.call(f"/api/v2/dags/{dag}/dagRuns")["dag_runs"]
        return found

    def run(self, dag: str, conf: dict[str, Any]) -> dict[str, Any]:
        """Start a run and wait until it has ended."""
        run = self.trigger(dag, conf)
        place = f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run['dag_run_id'])}"

        def ended() -> dict[str, Any] | None:
            found = self.call(place)
            return found if found["state"] in {"success", "failed"} else None

        last: dict[str, Any] = self.wait_for(ended, f"the end of {dag}")
        return last

    @staticmethod
    def wait_for(look: Callable[[], Any], what: str) -> Any:
        """What `look` finds, looked for until it is there."""
        for _ in range(_PATIENCE_SECONDS):
            if found := look():
                return found
            time.sleep(1)  # Airflow decides in processes of its own; there is nothing else to wait on
        raise AssertionError(f"{what} did not come within {_PATIENCE_SECONDS} s")

    def task_state(self, run: dict[str, Any], task: str) -> str:
        place = f"/api/v2/dags/{run['dag_id']}/dagRuns/{urllib.parse.quote(run['dag_run_id'])}/taskInstances/{task}"
        return str(self.call(place)["state"])


@pytest.fixture
def airflow(running: list[str]) -> AirflowApi:
    """The REST API of the services that run."""
    return AirflowApi(running)
