"""The trigger form of a plan: each field's type, bounds, choices and description from the settings' models."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from MLOps.settings.compose import compose_settings
from MLOps.settings.settings_keys import find_field, json_schema
from MLOps.settings.stage_settings import StageSettings
from pipelines.orchestration.chain_run import override_text, plan_overrides
from pipelines.orchestration.plan import Plan


@dataclass(frozen=True)
class FormField:
    """One field of the form.

    Attributes
    ----------
    key : str
        Dotted settings key.
    default : object
        Its value in the YAML composition and the plan's own overrides, plain JSON.
    schema : dict
        JSON schema: type, bounds, choices.
    description : str
        What the setting means, from its model.
    stages : tuple of str
        The stages that it goes to.
    """

    key: str
    default: Any
    schema: dict[str, Any]
    description: str
    stages: tuple[str, ...]


def form_fields(plan: Plan) -> list[FormField]:
    """The fields of `plan`'s form, in the plan's order.

    Raises
    ------
    SettingsError
        If the settings of a stage do not compose.
    """
    return [_form_field(key, tuple(plan.owners(key)), plan) for key in plan.form]


def _form_field(key: str, stages: tuple[str, ...], plan: Plan) -> FormField:
    model = plan.settings_type(stages[0])
    field = find_field(model, key)
    assert field is not None  # load_plan checked it
    default: Any = _defaults(model, stages[0], tuple(plan_overrides(plan, stages[0]).values()))
    for part in key.split("."):
        default = default[part]
    return FormField(key, default, json_schema(field), field.description or "", stages)


@cache  # a task asks when its DAG file is parsed, and again when it runs
def _defaults(model: type[StageSettings], stage: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    return compose_settings(model, stage, overrides).model_dump(mode="json")


def overrides_of(plan: Plan, conf: Mapping[str, Any]) -> dict[str, str]:
    """What a form was filled with, as ``key=value`` by key.

    A field that was left at its default is left out: the stage's own YAML, or the plan, gives the value,
    also where another choice of YAML in the same form changes it.
    """
    untouched = {field.key: field.default for field in form_fields(plan)}
    return {
        key: override_text(key, value)
        for key, value in conf.items()
        if key != "run_date" and not (key in untouched and untouched[key] == value)
    }
