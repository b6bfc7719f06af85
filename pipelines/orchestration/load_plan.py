"""A plan out of its YAML.

A plan is ``config/orchestration/<name>.yaml``. It is checked whole when it is loaded, against the
table of stages and against the settings that each stage knows, so that a mistake in it is told
before anything runs.
"""

from pathlib import Path

from pydantic import ValidationError

from MLOps.errors import SettingsError
from MLOps.settings.project import readable
from MLOps.settings.stage_table import STAGE_TABLE, orchestration_folder, read_mapping
from pipelines.orchestration.plan import Plan
from pipelines.orchestration.plan_check import faults_of


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
    path = folder / f"{name}.yaml"
    if name == STAGE_TABLE or not path.is_file():
        plans = sorted(file.stem for file in folder.glob("*.yaml") if file.stem != STAGE_TABLE)
        raise SettingsError(f"there is no plan {name!r}", ", ".join(plans), readable(folder))
    values = {"name": name, **read_mapping(path), "stages": read_mapping(folder / f"{STAGE_TABLE}.yaml")}
    try:
        plan = Plan.model_validate(values)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError(" | ".join(faults), mend=readable(path)) from error
    if faults := list(faults_of(plan)):
        raise SettingsError(" | ".join(faults), mend=readable(path))
    return plan
