"""A plan as an Airflow DAG: one task a step, a typed form, an alert for each failure and each late run."""

import sys
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable, Param
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from pipelines.orchestration.airflow_alerts import tell_failure, tell_late, tell_success
from pipelines.orchestration.form import FormField, form_fields
from pipelines.orchestration.plan import Plan, Schedule
from pipelines.orchestration.stage_operator import StageOperator


def chain(plan: Plan, documentation: str | None = None) -> DAG:
    """The DAG of `plan`, named like it.

    Parameters
    ----------
    plan : Plan
        What to run.
    documentation : str, optional
        Markdown for the UI, the DAG file's docstring as a rule.
    """
    with DAG(
        dag_id=plan.name,
        description=plan.description,
        doc_md=documentation,
        schedule=_schedule(plan.schedule),
        catchup=False,  # and no start_date: a new plan waits for its next tick
        max_active_runs=1,
        deadline=_deadline(plan),
        is_paused_upon_creation=plan.starts_paused,
        params={field.key: _param(field) for field in form_fields(plan)},
        tags=["strategy"],
    ) as dag:
        results: dict[str, Any] = {}
        for position, step in enumerate(plan.steps):
            is_last = position == len(plan.steps) - 1
            read = plan.schedule.assets if position == 0 else ()
            updated = [plan.updates] if plan.updates and is_last else []
            task = StageOperator(
                task_id=step.stage,
                plan=plan,
                step=step,
                earlier={path[0]: results[path[0]] for path in step.references()},
                retries=step.retries,
                retry_delay=timedelta(seconds=step.retry_delay_seconds),
                execution_timeout=timedelta(minutes=step.timeout_minutes),
                on_failure_callback=tell_failure,
                on_success_callback=tell_success,
                on_skipped_callback=tell_success,  # nothing new is no failure
                inlets=[Asset(name) for name in (*read, *updated)],
                outlets=[Asset(name) for name in updated],
            )
            if position:
                dag.task_dict[plan.steps[position - 1].stage] >> task
            results[step.stage] = task.output
    return dag


def _schedule(schedule: Schedule) -> Any:
    """The clock, any of the assets, whichever comes first, or none."""
    clock = _coming_ticks(schedule.cron, schedule.timezone) if schedule.cron else None
    assets = AssetAny(*map(Asset, schedule.assets)) if schedule.assets else None
    if clock and assets:
        return AssetOrTimeSchedule(timetable=clock, assets=assets)
    return clock or assets


def _deadline(plan: Plan) -> DeadlineAlert | None:
    """An alert for a run that has not ended in time, counted from when it was asked for.

    None under ``airflow dags test``: nobody watches the clock there, and Airflow 3.3.2 ends a successful test of a
    DAG that has a deadline with an error.
    """
    if plan.deadline_minutes is None or sys.argv[1:3] == ["dags", "test"]:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=plan.deadline_minutes),
        callback=SyncCallback(tell_late),
    )


def _coming_ticks(cron: str, timezone: str) -> CronTriggerTimetable:
    """The clock of a cron line; left alone, Airflow takes up a tick that is under a tenth of the interval ago."""
    return CronTriggerTimetable(cron, timezone=timezone, run_immediately=timedelta(0))


def _param(field: FormField) -> Param:
    description = f"{field.description} Goes to {', '.join(field.stages)}."
    return Param(field.default, description=description, title=field.key, **field.schema)
