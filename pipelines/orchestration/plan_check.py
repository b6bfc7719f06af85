"""What can be wrong with a plan beyond the types of its fields, told before anything runs."""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from MLOps.settings.project import from_project
from MLOps.settings.settings_keys import find_field, holds_key
from MLOps.settings.stage_table import StageEntry
from MLOps.stage import StageResult
from pipelines.orchestration.plan import Plan, Step
from pipelines.orchestration.references import references


def faults_of(plan: Plan) -> Iterator[str]:
    """Each fault of `plan` in one clause: its place, what was given, what is allowed."""
    earlier: list[str] = []
    models: list[type[BaseModel]] = []
    for number, step in enumerate(plan.steps):
        place = f"steps.{number} ({step.stage})"
        if step.stage in earlier:
            yield f"{place}: stands twice in the plan"
        if step.stage in plan.stages:
            yield from _stage_faults(place, step, plan.stages[step.stage], models)
        else:
            yield f"{place}: unknown stage; allowed: {', '.join(plan.stages)}"
        yield from _reference_faults(place, step.references(), earlier)
        earlier.append(step.stage)
    if len(models) == len(plan.steps):
        for key in plan.form:
            reached = (model for step, model in zip(plan.steps, models, strict=True) if key not in step.own)
            if not any(find_field(model, key) for model in reached):
                yield f"form: {key} is a setting of none of the plan's stages"
        yield from _override_faults(plan)
    for name, text in plan.outcome.items():
        yield from _reference_faults(f"outcome.{name}", references(text), earlier)


def _stage_faults(place: str, step: Step, entry: StageEntry, models: list[type[BaseModel]]) -> Iterator[str]:
    if not from_project(entry.script).is_file():
        yield f"{place}: {entry.script} does not exist"
    try:
        models.append(entry.settings_type)
    except (ImportError, AttributeError) as error:
        yield f"{place}: {entry.settings}: {error}"
        return
    for key in (*step.overrides, *step.own):
        if not holds_key(models[-1], key):
            yield f"{place}: {key} is no setting of this stage"


def _override_faults(plan: Plan) -> Iterator[str]:
    for key, value in plan.overrides.items():
        if not plan.owners(key):
            yield f"overrides: {key} is a setting of none of the plan's stages"
        for own in plan.own_within(key):
            yield f"overrides: {key} would reach what a stage has of its own ({own})"
        if isinstance(value, str):
            yield from _reference_faults(f"overrides.{key}", references(value), [])


def _reference_faults(place: str, paths: Sequence[tuple[str, ...]], earlier: Sequence[str]) -> Iterator[str]:
    for stage, *rest in paths:
        text = "${" + ".".join((stage, *rest)) + "}"
        if stage not in earlier:
            yield f"{place}: {text} refers to no earlier step; allowed: {', '.join(earlier) or 'none'}"
        elif not rest or rest[0] not in StageResult.model_fields:
            yield f"{place}: {text}; a result holds {', '.join(StageResult.model_fields)}"
