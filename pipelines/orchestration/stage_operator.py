"""The Airflow task of a step: the stage's own command line, its result as XCom."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from MLOps.errors import PlatformError
from MLOps.settings.local_services import STAGE_OUTPUT_VARIABLE, STAGE_WORKSPACE_VARIABLE
from pipelines.orchestration.chain_run import WORKSPACE_KEY, ChainRun, reports_folder
from pipelines.orchestration.form import overrides_of
from pipelines.orchestration.plan import Plan, Step
from pipelines.orchestration.stage_process import StageFailedError, StageProcess

if TYPE_CHECKING:
    from airflow.sdk import Context

_LOG = logging.getLogger(__name__)


class StageOperator(BaseOperator):
    """Runs one step of a plan.

    Parameters
    ----------
    plan, step : Plan, Step
        What to run.
    earlier : mapping of str to XComArg
        Results of the steps that this one refers to, by stage.
    """

    template_fields: Sequence[str] = ("earlier",)
    ui_color = "#dbe9f6"

    def __init__(self, *, plan: Plan, step: Step, earlier: Mapping[str, Any], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.plan, self.step, self.earlier = plan, step, dict(earlier)
        self._process: StageProcess | None = None

    def execute(self, context: "Context") -> dict[str, Any]:
        """Run the stage; a failure that cannot pass is not tried again."""
        relay, draws_on_terminal = _relay()
        try:
            run = open_run(self.plan, context)
            self._process = run.process(self.step, self.earlier, relay, draws_on_terminal)
            relay(f"[{self.plan.steps.index(self.step) + 1}/{len(self.plan.steps)}] {self.step.stage}\n".encode())
            result = run.perform(self.step, self._process).model_dump(mode="json")
        except StageFailedError as error:
            raise (AirflowException if error.may_pass else AirflowFailException)(str(error)) from None
        except PlatformError as error:
            raise AirflowFailException(str(error)) from error
        for asset in self.outlets:
            _announce(asset, context, result, run.run_date)
        return result

    def on_kill(self) -> None:
        """End the stage when the task is ended from outside."""
        if self._process is not None:
            self._process.cancel()


def open_run(plan: Plan, context: "Context") -> ChainRun:
    """The run that a task belongs to."""
    overrides = overrides_of(plan, given_conf(context["dag_run"].conf))
    return ChainRun(
        plan=plan,
        run_id=context["dag_run"].run_id,
        run_date=run_date_of(plan, context),
        overrides=overrides,
        reports=reports_folder(plan, overrides),
    )


def given_conf(form: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a person filled the form with, and the workspace that Airflow was started for."""
    workspace = os.environ.get(STAGE_WORKSPACE_VARIABLE)
    conf = {WORKSPACE_KEY: workspace} if workspace else {}
    return conf | dict(form or {})


def run_date_of(plan: Plan, context: "Context") -> date:
    """The form's date, else that of the asset's newest event, else the run's own in the plan's time zone."""
    dag_run = context["dag_run"]
    if given := (dag_run.conf or {}).get("run_date"):
        return date.fromisoformat(given)
    events = [event for events in (context.get("triggering_asset_events") or {}).values() for event in events]
    dates = [str(event.extra["run_date"]) for event in events if "run_date" in (event.extra or {})]
    if dates:
        return date.fromisoformat(max(dates))
    instant: datetime = dag_run.logical_date or dag_run.run_after
    return instant.astimezone(ZoneInfo(plan.schedule.timezone)).date()


def _announce(asset: Asset, context: "Context", result: Mapping[str, Any], run_date: date) -> None:
    """Tell the asset's readers what is new.

    A holiday's run, or a second one of the same day, makes nothing new: the task is skipped, and an
    asset without an event starts no chain. The asset's last event is asked, not the stage's status,
    for a first try may have made the output and died before it could tell.
    """
    earlier = list(context["inlet_events"][asset].ascending(False).limit(1))
    if earlier and (earlier[0].extra or {}).get("key") == result["key"]:
        raise AirflowSkipException(f"nothing new: {asset.name} stands at {result['key']} already")
    context["outlet_events"][asset].extra = {"key": result["key"], "run_date": run_date.isoformat()}


def _relay() -> tuple[Callable[[bytes], None], bool]:
    """Where a stage's prose goes, and whether that is a terminal."""
    descriptor = os.environ.get(STAGE_OUTPUT_VARIABLE)
    if descriptor is not None:
        number = int(descriptor)
        return lambda chunk: _write(number, chunk), os.isatty(number)
    return _LineLog(), False


def _write(descriptor: int, chunk: bytes) -> None:
    os.write(descriptor, chunk)


class _LineLog:
    """Passes whole lines to the task's log."""

    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            _LOG.info("%s", line.decode(errors="replace").rstrip())
