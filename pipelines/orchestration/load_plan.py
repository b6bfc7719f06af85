"""A plan out of its YAML.

A plan is ``config/orchestration/<name>.yaml``. It is checked whole when it is loaded, against the
table of stages and against the settings that each stage knows, so that a mistake in it is told
before anything runs.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from MLOps.errors import SettingsError
from MLOps.settings.project import project_root, readable
from pipelines.orchestration.plan import Plan
from pipelines.orchestration.plan_check import faults_of

_STAGE_TABLE = "stages"


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
    folder = folder or project_root() / "config" / "orchestration"
    path = folder / f"{name}.yaml"
    if name == _STAGE_TABLE or not path.is_file():
        plans = sorted(file.stem for file in folder.glob("*.yaml") if file.stem != _STAGE_TABLE)
        raise SettingsError(f"there is no plan {name!r}", ", ".join(plans), readable(folder))
    values = {"name": name, **_read(path), "stages": _read(folder / f"{_STAGE_TABLE}.yaml")}
    try:
        plan = Plan.model_validate(values)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError(" | ".join(faults), mend=readable(path)) from error
    if faults := list(faults_of(plan)):
        raise SettingsError(" | ".join(faults), mend=readable(path))
    return plan


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{readable(path)} cannot be read: {error}", "a YAML file", readable(path)) from error
    if not isinstance(values, dict):
        raise SettingsError(f"{readable(path)} holds {type(values).__name__}", "keys and values", readable(path))
    return values
