"""A plan out of its YAML.

A plan is ``config/orchestration/<name>.yaml``. One that names another plan as its ``based_on`` holds the keys
that differ; the others are those of that plan. It is checked whole when it is loaded, against the
table of stages and against the settings that each stage knows, so that a mistake in it is told
before anything runs.
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from MLOps.errors import SettingsError
from MLOps.settings.project import readable
from MLOps.settings.stage_table import STAGE_TABLE, orchestration_folder, read_mapping
from pipelines.orchestration.plan import Plan
from pipelines.orchestration.plan_check import faults_of

_BASED_ON = "based_on"


def load_plan(name: str, folder: Path | None = None) -> Plan:
    """Load and check ``<folder>/<name>.yaml`` with the stage table that lies beside it.

    Parameters
    ----------
    name : str
        Name of the plan.
    folder : Path, optional
        ``config/orchestration`` by default.

    Raises
    ------
    SettingsError
        With every fault of the plan in one line.
    """
    folder = folder or orchestration_folder()
    own, base = _read(name, folder)
    mend = " or ".join(readable(folder / f"{plan}.yaml") for plan in (name, base) if plan is not None)
    values = {"overrides": {}, **({} if base is None else _read_base(base, folder, mend)), **own}
    values |= {"name": name, "stages": read_mapping(folder / f"{STAGE_TABLE}.yaml")}
    try:
        plan = Plan.model_validate(values)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError(" | ".join(faults), mend=mend) from error
    if faults := list(faults_of(plan)):
        raise SettingsError(" | ".join(faults), mend=mend)
    return plan


def _read(name: str, folder: Path) -> tuple[dict[str, Any], str | None]:
    """The keys of a plan's file, and the plan that it is based on."""
    path = folder / f"{name}.yaml"
    if name == STAGE_TABLE or not path.is_file():
        plans = sorted(file.stem for file in folder.glob("*.yaml") if file.stem != STAGE_TABLE)
        raise SettingsError(f"there is no plan {name!r}", ", ".join(plans), readable(folder))
    values = read_mapping(path)
    base = values.pop(_BASED_ON, None)
    return values, None if base is None else str(base)


def _read_base(name: str, folder: Path, mend: str) -> dict[str, Any]:
    """The keys of the plan that another one is based on; it stands on its own."""
    values, base = _read(name, folder)
    if base is not None:
        raise SettingsError(f"{_BASED_ON}: {name} is itself based on {base}", "a plan that stands on its own", mend)
    return values
