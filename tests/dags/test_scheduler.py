"""The strategy through the real scheduler: services up, a run by the REST API, services down."""

from typing import Any

import pytest

from deployment.local_services import stop_services
from deployment.local_services.processes import living_processes, recorded_services
from deployment.local_services.start_services import read_settings, service_group

pytestmark = pytest.mark.slow


def test_the_whole_strategy_runs_from_a_form_and_nothing_stays(
    running: list[str], airflow: Any, small_strategy: dict[str, Any]
) -> None:
    settings = read_settings(running)
    assert airflow.run("full_strategy", small_strategy)["state"] == "success"
    (chain,) = (settings.paths.reports / "chains").glob("*manual__*")  # the weekly clock may tick meanwhile
    assert len(list(chain.glob("0*.json"))) == 8
    records = recorded_services(service_group(settings).folder)
    assert len(records) == 5
    assert stop_services.main(running) == 0
    assert [living_processes(record) for record in records] == [[]] * len(records)


def test_only_new_data_updates_the_asset(airflow: Any, small_strategy: dict[str, Any]) -> None:
    api = airflow
    api.pause("full_strategy", is_paused=True)  # the update alone is looked at here
    api.pause("daily_data", is_paused=False)
    conf = {key: value for key, value in small_strategy.items() if key.startswith(("data.", "sources.", "versioning."))}
    first, second = api.run("daily_data", conf | {"run_date": "2024-03-05"}), api.run("daily_data", conf)
    assert [api.task_state(run, "ingest_data") for run in (first, second)] == ["success", "skipped"]
    (event,) = api.call("/api/v2/assets/events")["asset_events"]
    assert event["extra"]["run_date"] == "2024-03-05"
