"""One run of a plan: which command line each step gets, where the run is recorded, how a step is performed.

Airflow and the plain command line perform their steps here, so that both do and record the same.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from MLOps.errors import SettingsError, without_credentials
from MLOps.settings.compose import compose_values, validated
from MLOps.settings.stage_settings import PathSettings
from MLOps.stage import StageResult
from pipelines.orchestration.chain_record import ChainRecord, StepRecord, write_chain, write_step
from pipelines.orchestration.plan import Plan, Step
from pipelines.orchestration.references import resolved
from pipelines.orchestration.stage_process import StageFailedError, StageProcess

Results = Mapping[str, Mapping[str, Any]]
WORKSPACE_KEY = "paths.workspace"


def override_text(key: str, value: object) -> str:
    """``key=value`` in the grammar of the stages' command lines; the choice of a YAML (``group@key``) stays bare."""
    bare = isinstance(value, str) and "@" in key
    return f"{key}={value if bare else json.dumps(value, default=str, ensure_ascii=False)}"


def plan_overrides(plan: Plan, stage: str) -> dict[str, str]:
    """What the plan itself lays over the YAML of one of its stages: by key, ``key=value``."""
    return {key: override_text(key, value) for key, value in plan.overrides.items() if stage in plan.owners(key)}


def reports_folder(plan: Plan, overrides: Mapping[str, str]) -> Path:
    """The reports of the workspace that the run works in."""
    return _paths(plan.steps[0].stage, overrides.get(WORKSPACE_KEY)).reports


@cache  # a task asks when it runs, and again when it tells how it went
def _paths(stage: str, workspace: str | None) -> PathSettings:
    values, layers = compose_values(stage, [workspace] if workspace else [])
    return validated(PathSettings, values["paths"], layers)


@dataclass(frozen=True)
class ChainRun:
    """A plan at work.

    Attributes
    ----------
    plan : Plan
        What is run.
    run_id : str
        Name of the run.
    run_date : date
        The logical date, the same for every stage.
    overrides : mapping of str to str
        By key, the ``key=value`` that a person gave; each goes to the stages that know the key, but not as their own.
    reports : Path
        Folder below which the run is recorded, in ``chains/<run id>/``.
    """

    plan: Plan
    run_id: str
    run_date: date
    overrides: Mapping[str, str]
    reports: Path

    def __post_init__(self) -> None:
        unknown = [text for key, text in self.overrides.items() if not self.plan.owners(key)]
        if unknown:
            stages = ", ".join(step.stage for step in self.plan.steps)
            raise SettingsError(
                f"{', '.join(unknown)}: no stage of {self.plan.name} has this setting",
                f"settings of {stages} (each stage's --help lists them)",
                "the command line or the form",
            )
        reached = [
            f"{text} ({', '.join(own)})" for key, text in self.overrides.items() if (own := self.plan.own_within(key))
        ]
        if reached:
            raise SettingsError(
                f"{'; '.join(reached)} would reach what a stage has of its own",
                "the keys of the section one by one",
                "the command line or the form",
            )

    @property
    def folder(self) -> Path:
        """Where the run is recorded."""
        return self.reports / "chains" / re.sub(r"[^\w.+-]", "_", self.run_id)

    def arguments(self, step: Step, results: Results) -> list[str]:
        """The command line of `step`: the run's date, what the plan wires and sets, what a person gave over that."""
        wired = {key: override_text(key, resolved(value, results)) for key, value in step.overrides.items()}
        given = {key: text for key, text in self.overrides.items() if step.stage in self.plan.owners(key)}
        texts = wired | plan_overrides(self.plan, step.stage) | given
        return ["--run_date", self.run_date.isoformat(), *texts.values()]

    def process(
        self,
        step: Step,
        results: Results,
        relay: Callable[[bytes], None],
        draws_on_terminal: bool = False,
        timeout_seconds: float | None = None,
    ) -> StageProcess:
        """The process of `step`, not yet started."""
        script = self.plan.stages[step.stage].script
        arguments = self.arguments(step, results)
        return StageProcess(step.stage, script, arguments, relay, draws_on_terminal, timeout_seconds)

    def perform(self, step: Step, process: StageProcess) -> StageResult:
        """Run `process` to its end and record what came of it.

        Raises
        ------
        StageFailedError
            If the stage fails.
        """
        self.record_start()
        position, started = self.plan.steps.index(step) + 1, datetime.now(UTC)
        result, failure = None, None
        try:
            result = process.run()
        except StageFailedError as error:
            failure = str(error)
            raise
        finally:
            record = StepRecord(
                stage=step.stage,
                started_at=started,
                ended_at=datetime.now(UTC),
                result=result,
                failure=None if result else failure or "interrupted",
            )
            write_step(self.folder, position, record)
        return result

    def record_start(self) -> None:
        """Write what is run under which overrides, unless an earlier step or try of the same run did."""
        record = ChainRecord(
            plan=self.plan.name,
            run_id=self.run_id,
            run_date=self.run_date,
            started_at=datetime.now(UTC),
            overrides=tuple(map(without_credentials, self.overrides.values())),
            stages=tuple(step.stage for step in self.plan.steps),
            outcome=dict(self.plan.outcome),
        )
        write_chain(self.folder, record)
