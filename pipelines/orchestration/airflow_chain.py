"""A plan as an Airflow DAG: one task a step, a typed form, an alert for each failure."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable, Param

from MLOps.errors import without_credentials
from pipelines.orchestration.alerts import AlertEvent, write_alert
from pipelines.orchestration.chain_run import WORKSPACE_KEY, override_text, reports_folder
from pipelines.orchestration.form import FormField, form_fields
from pipelines.orchestration.plan import Plan, Schedule
from pipelines.orchestration.stage_operator import StageOperator, given_conf, run_date_of

if TYPE_CHECKING:
    from airflow.sdk import Context


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
        is_paused_upon_creation=plan.starts_paused,
        params={field.key: _param(field) for field in form_fields(plan)},
        tags=["strategy"],
    ) as dag:
        results: dict[str, Any] = {}
        for position, step in enumerate(plan.steps):
            is_last = position == len(plan.steps) - 1
            read = [plan.schedule.asset] if plan.schedule.asset and position == 0 else []
            updated = [plan.updates] if plan.updates and is_last else []
            task = StageOperator(
                task_id=step.stage,
                plan=plan,
                step=step,
                earlier={path[0]: results[path[0]] for path in step.references()},
                retries=step.retries,
                retry_delay=timedelta(seconds=step.retry_delay_seconds),
                execution_timeout=timedelta(minutes=step.timeout_minutes),
                on_failure_callback=alert,
                inlets=[Asset(name) for name in (*read, *updated)],
                outlets=[Asset(name) for name in updated],
            )
            if position:
                dag.task_dict[plan.steps[position - 1].stage] >> task
            results[step.stage] = task.output
    return dag


def alert(context: "Context") -> None:
    """Write one alert event for a task that failed for good."""
    task, dag_run = context["ti"], context["dag_run"]
    plan = context["dag"].get_task(task.task_id).plan
    conf = given_conf(context)
    overrides = {WORKSPACE_KEY: override_text(WORKSPACE_KEY, conf[WORKSPACE_KEY])} if WORKSPACE_KEY in conf else {}
    message = " ".join(str(context.get("exception") or "the task was ended from outside").split())
    event = AlertEvent(
        event="stage_failed",
        severity="critical",
        at=datetime.now(UTC),
        plan=plan.name,
        stage=task.task_id,
        run_id=dag_run.run_id,
        run_date=run_date_of(plan, context),
        try_number=max(task.try_number, 1),
        message=without_credentials(message),
        log_url=str(getattr(task, "log_url", "")),
    )
    write_alert(reports_folder(plan, overrides), event)


def _schedule(schedule: Schedule) -> Any:
    """The clock, the asset, whichever of the two comes first, or none."""
    clock = _coming_ticks(schedule.cron, schedule.timezone) if schedule.cron else None
    assets = [Asset(schedule.asset)] if schedule.asset else []
    if clock and assets:
        return AssetOrTimeSchedule(timetable=clock, assets=assets)
    return clock or assets or None


def _coming_ticks(cron: str, timezone: str) -> CronTriggerTimetable:
    """The clock of a cron line; left alone, Airflow takes up a tick that is under a tenth of the interval ago."""
    return CronTriggerTimetable(cron, timezone=timezone, run_immediately=timedelta(0))


def _param(field: FormField) -> Param:
    description = f"{field.description} Goes to {', '.join(field.stages)}."
    return Param(field.default, description=description, title=field.key, **field.schema)
