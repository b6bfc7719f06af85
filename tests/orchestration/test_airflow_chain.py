"""A plan as a DAG: tasks, schedule, form, dates and deadline."""

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.orchestration.load_plan import load_plan
from pipelines.orchestration.plan import Plan


@pytest.fixture(scope="module", autouse=True)
def _airflow_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Airflow writes its configuration where it is first imported: not in a person's home."""
    import os

    os.environ.setdefault("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow_home")))


@pytest.fixture(scope="module")
def full() -> Plan:
    return load_plan("full_strategy")


@pytest.fixture(scope="module")
def dag(full: Plan) -> Any:
    from pipelines.orchestration.airflow_chain import chain

    return chain(full, documentation="How it works.")


def test_tasks_follow_the_plan(full: Plan, dag: Any) -> None:
    stages = [step.stage for step in full.steps]
    assert list(dag.task_dict) == stages
    for earlier, later in itertools.pairwise(stages):
        assert earlier in dag.get_task(later).upstream_task_ids
    for step in full.steps:
        task = dag.get_task(step.stage)
        assert task.retries == step.retries
        assert task.execution_timeout == timedelta(minutes=step.timeout_minutes)
        assert task.outlets == []


def test_one_run_at_a_time_and_no_past_run(dag: Any) -> None:
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.start_date is None


def test_the_form_is_typed_and_described(dag: Any) -> None:
    seed = dag.params.get_param("training.seed")
    assert seed.schema["type"] == "integer"
    assert seed.description == "Seed of every generator. Goes to train_rl_agent."


@pytest.mark.parametrize(
    ("cron", "assets", "kind"),
    [
        ("0 9 * * SAT", ["market_data"], "AssetOrTimeSchedule"),
        ("0 9 * * SAT", [], "CronTriggerTimetable"),
        (None, ["market_data", "drift"], "AssetTriggeredTimetable"),
        (None, [], "NullTimetable"),
    ],
)
def test_the_clock_the_asset_both_or_neither_start_it(
    cron: str | None, assets: list[str], kind: str, plan_values: dict[str, Any], write_plan: Callable[..., Path]
) -> None:
    from pipelines.orchestration.airflow_chain import chain

    plan_values["schedule"] |= {"cron": cron, "assets": assets}
    dag = chain(load_plan("pair", write_plan(plan_values)))
    assert type(dag.timetable).__name__ == kind


def test_any_asset_is_enough(dag: Any) -> None:
    from airflow.sdk import Asset, AssetAny

    condition = dag.timetable.asset_condition
    assert isinstance(condition, AssetAny)
    names = [asset.name for asset in condition.objects if isinstance(asset, Asset)]
    assert names == ["market_data", "drift"]


def test_a_new_plan_waits_for_its_next_tick(
    plan_values: dict[str, Any], write_plan: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from airflow.timetables import trigger
    from airflow.timetables.base import TimeRestriction

    from pipelines.orchestration.airflow_chain import chain

    plan_values["schedule"] |= {"cron": "0 9 * * SAT", "assets": ["market_data"], "timezone": "America/New_York"}
    dag = chain(load_plan("pair", write_plan(plan_values)))
    timetable = decode_timetable(encode_timetable(dag.timetable))  # as the scheduler gets it
    monkeypatch.setattr(trigger, "utcnow", lambda: datetime(2024, 3, 2, 14, 1, tzinfo=UTC))  # a minute after a tick
    first = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(earliest=None, latest=None, catchup=False)
    )
    assert first is not None
    assert first.run_after == datetime(2024, 3, 9, 14, tzinfo=UTC)


def test_the_last_step_updates_the_asset() -> None:
    from pipelines.orchestration.airflow_chain import chain

    task = chain(load_plan("daily_data")).get_task("ingest_data")
    assert [asset.name for asset in task.outlets] == ["market_data"]
    assert [asset.name for asset in task.inlets] == ["market_data"]  # to see what was announced before


def _context(conf: dict[str, Any] | None = None, **run: Any) -> dict[str, Any]:
    values = {"run_id": "manual__1", "conf": conf, "logical_date": None, "run_after": datetime(2024, 3, 6, tzinfo=UTC)}
    return {"dag_run": SimpleNamespace(**(values | run))}


def _triggered_by(*extras: dict[str, str]) -> dict[str, Any]:
    return _context() | {"triggering_asset_events": {"market_data": [SimpleNamespace(extra=extra) for extra in extras]}}


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        # midnight UTC is still the evening before in New York
        (_context(), date(2024, 3, 5)),
        (_context(logical_date=datetime(2024, 3, 1, 23, 30, tzinfo=UTC)), date(2024, 3, 1)),
        (_context({"run_date": "2023-01-04"}), date(2023, 1, 4)),
        (_context({"run_date": None}), date(2024, 3, 5)),
        (_triggered_by({"run_date": "2024-02-01"}, {"run_date": "2024-02-02"}), date(2024, 2, 2)),
        (_triggered_by({}), date(2024, 3, 5)),
    ],
    ids=["run_after", "logical_date", "form", "empty form", "newest event", "event by hand"],
)
def test_the_run_date(context: dict[str, Any], expected: date, full: Plan) -> None:
    from pipelines.orchestration.stage_operator import run_date_of

    assert run_date_of(full, context) == expected  # type: ignore[arg-type]


def test_a_run_that_takes_too_long_is_told(full: Plan, dag: Any) -> None:
    (deadline,) = dag.deadline
    assert deadline.interval == timedelta(minutes=full.deadline_minutes or 0)
    assert deadline.callback.path == "pipelines.orchestration.airflow_alerts.tell_late"


def test_a_plan_may_have_no_deadline(plan_values: dict[str, Any], write_plan: Callable[..., Path]) -> None:
    from pipelines.orchestration.airflow_chain import chain

    assert not chain(load_plan("pair", write_plan(plan_values))).deadline


def test_a_dag_under_test_has_no_deadline(full: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.orchestration.airflow_chain import chain

    monkeypatch.setattr("sys.argv", ["airflow", "dags", "test", full.name])
    assert not chain(full).deadline
    monkeypatch.setattr("sys.argv", ["airflow", "dags", "list"])
    assert chain(full).deadline
