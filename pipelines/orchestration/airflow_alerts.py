"""Airflow's callbacks: what fails for good, recovers, or is late becomes an alert event, which is delivered at once.

Delivery is a process of its own, like a stage. Whatever becomes of it, the event stays on disk for the next one.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from MLOps.alert_events import RunLateEvent, StageFailedEvent, end_alert, told_since, write_event
from MLOps.errors import without_credentials
from MLOps.settings.project import project_root
from MLOps.settings.settings_keys import holds_key
from MLOps.settings.stage_settings import StageSettings
from pipelines.orchestration.chain_run import override_text, reports_folder
from pipelines.orchestration.load_plan import load_plan
from pipelines.orchestration.plan import Plan
from pipelines.orchestration.stage_operator import given_conf, run_date_of

if TYPE_CHECKING:
    from airflow.sdk import Context

_LOG = logging.getLogger(__name__)
_DELIVERY_SECONDS = 30.0  # it ends by itself long before; a machine that swaps must not hold the task for longer
_ENDED = {"success", "failed"}
_AIRFLOW_URL_VARIABLE = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"  # where tasks report; another container, as a rule


def tell_failure(context: "Context") -> None:
    """Write and deliver one alert event for a task that failed for good."""
    plan, reports, shared = _place(context)
    message = " ".join(str(context.get("exception") or "the task was ended from outside").split())
    write_event(reports, _stage_event(context, plan, "firing", without_credentials(message)))
    deliver(shared)


def tell_success(context: "Context") -> None:
    """End what the stage's or the plan's success ends; deliver that, and what the stage itself told."""
    plan, reports, shared = _place(context)
    end_alert(reports, _stage_event(context, plan, "resolved", "a later run succeeded"))
    if context["ti"].task_id == plan.steps[-1].stage:
        end_alert(reports, _late_event(plan.name, context["dag_run"].run_id, "resolved", run_date_of(plan, context)))
    if told_since(reports, context["ti"].start_date):
        deliver(shared)


def tell_late(context: Mapping[str, Any]) -> None:
    """Write and deliver one alert event for a run that missed its deadline; Airflow gives its context as JSON.

    Airflow keeps the deadline of a run that failed: that was told as such, and is late no more.
    """
    run = context["dag_run"]
    if run["state"] in _ENDED:
        return
    plan = load_plan(run["dag_id"])
    shared = _shared_overrides(given_conf(run["conf"]))
    given = (run["conf"] or {}).get("run_date")
    event = _late_event(plan.name, run["dag_run_id"], "firing", date.fromisoformat(given) if given else None)
    write_event(reports_folder(plan, shared), event)
    deliver(shared)


def deliver(overrides: Mapping[str, str]) -> None:
    """Run deliver_alerts to its end; a failure is in the log, and in what it keeps itself."""
    command = [sys.executable, "-m", "monitoring.alerts.deliver_alerts", *overrides.values(), *airflow_address()]
    try:
        ended = subprocess.run(
            command,
            cwd=project_root(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_DELIVERY_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        _LOG.warning("deliver_alerts did not end within %g s; the next delivery goes on", _DELIVERY_SECONDS)
        return
    for line in ended.stderr.splitlines():
        _LOG.log(logging.WARNING if ended.returncode else logging.INFO, "%s", line)


def _place(context: "Context") -> tuple[Plan, Path, dict[str, str]]:
    """The plan of a task, the reports that it works in, and what delivery must know of the run."""
    plan: Plan = context["dag"].get_task(context["ti"].task_id).plan
    shared = _shared_overrides(given_conf(context["dag_run"].conf))
    return plan, reports_folder(plan, shared), shared


def _shared_overrides(conf: Mapping[str, Any]) -> dict[str, str]:
    """What a run was given that is a setting of every command: workspace, ports, metrics."""
    return {
        key: override_text(key, value)
        for key, value in conf.items()
        if key != "run_date" and holds_key(StageSettings, key)
    }


def airflow_address() -> Sequence[str]:
    """Where Airflow listens, which its own processes know better than the YAML."""
    url = os.environ.get(_AIRFLOW_URL_VARIABLE, "").removesuffix("/").removesuffix("/execution")
    return (override_text("retraining.airflow_url", url),) if url else ()


def _stage_event(
    context: "Context", plan: Plan, status: Literal["firing", "resolved"], message: str
) -> StageFailedEvent:
    task = context["ti"]
    return StageFailedEvent(
        event="stage_failed",
        status=status,
        at=datetime.now(UTC),
        run_date=run_date_of(plan, context),
        message=message,
        log_url=str(getattr(task, "log_url", "") or ""),
        plan=plan.name,
        stage=task.task_id,
        run_id=context["dag_run"].run_id,
        try_number=max(task.try_number, 1),
    )


def _late_event(
    plan_name: str, run_id: str, status: Literal["firing", "resolved"], run_date: date | None
) -> RunLateEvent:
    message = "a run has not ended by its deadline" if status == "firing" else "a later run succeeded"
    return RunLateEvent(
        event="run_late",
        status=status,
        at=datetime.now(UTC),
        run_date=run_date,
        message=f"{plan_name}: {message}",
        log_url="",
        plan=plan_name,
        run_id=run_id,
    )
