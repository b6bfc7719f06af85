"""The strategy through the real scheduler: services up, a run by the REST API, services down."""

import json
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployment.local_services import start_services, stop_services
from deployment.local_services.airflow_environment import airflow_password, airflow_url
from deployment.local_services.processes import living_processes, recorded_services
from deployment.local_services.start_services import read_settings, service_group

pytestmark = pytest.mark.slow
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
    ]
    try:
        assert start_services.main(overrides) == 0
        told, settings = capfd.readouterr().out, read_settings(overrides)
        assert airflow_url(settings) in told
        assert airflow_password(settings) in told
        yield overrides
    finally:
        stop_services.main(overrides)


class _Api:
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

    def run(self, dag: str, conf: dict[str, Any]) -> dict[str, Any]:
        """Trigger a DAG and wait until its run has ended."""
        place = f"/api/v2/dags/{dag}/dagRuns"
        run = self.call(place, {"logical_date": None, "conf": conf})
        for _ in range(_PATIENCE_SECONDS):
            if run["state"] in {"success", "failed"}:
                return run
            time.sleep(1)  # Airflow decides in processes of its own; there is nothing else to wait on
            run = self.call(f"{place}/{urllib.parse.quote(run['dag_run_id'])}")
        raise AssertionError(f"{dag} is still {run['state']} after {_PATIENCE_SECONDS} s")

    def task_state(self, run: dict[str, Any], task: str) -> str:
        place = f"/api/v2/dags/{run['dag_id']}/dagRuns/{urllib.parse.quote(run['dag_run_id'])}/taskInstances/{task}"
        return str(self.call(place)["state"])


def test_the_whole_strategy_runs_from_a_form_and_nothing_stays(
    running: list[str], small_strategy: dict[str, Any]
) -> None:
    settings = read_settings(running)
    assert _Api(running).run("full_strategy", small_strategy)["state"] == "success"
    (chain,) = (settings.paths.reports / "chains").glob("*manual__*")  # the weekly clock may tick meanwhile
    assert len(list(chain.glob("0*.json"))) == 7
    records = recorded_services(service_group(settings).folder)
    assert len(records) == 5
    assert stop_services.main(running) == 0
    assert [living_processes(record) for record in records] == [[]] * len(records)


def test_only_new_data_updates_the_asset(running: list[str], small_strategy: dict[str, Any]) -> None:
    api = _Api(running)
    api.pause("full_strategy", is_paused=True)  # the update alone is looked at here
    api.pause("daily_data", is_paused=False)
    conf = {key: value for key, value in small_strategy.items() if key.startswith(("data.", "sources.", "versioning."))}
    first, second = api.run("daily_data", conf | {"run_date": "2024-03-05"}), api.run("daily_data", conf)
    assert [api.task_state(run, "ingest_data") for run in (first, second)] == ["success", "skipped"]
    (event,) = api.call("/api/v2/assets/events")["asset_events"]
    assert event["extra"]["run_date"] == "2024-03-05"
