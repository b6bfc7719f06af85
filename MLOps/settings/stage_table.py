"""The table of stages, config/orchestration/stages.yaml: what a plan may name, and what a command may start."""

import importlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from MLOps.errors import SettingsError
from MLOps.settings.project import project_root, readable
from MLOps.settings.stage_settings import Settings, StageSettings

STAGE_TABLE = "stages"
STAGE_ENVIRONMENT = {
    # Sums in another order change the last bits, and threads that spin starve a small machine.
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""What a stage's process finds in its environment, unless whoever starts it says otherwise."""


class StageEntry(Settings):
    """A stage's line in the table."""

    script: Path = Field(description="Command line, relative to the project root.")
    settings: str = Field(pattern=r"^[\w.]+:\w+$", description="Its settings model, as module:class.")

    @property
    def settings_type(self) -> type[StageSettings]:
        """The model itself; its module is imported here."""
        module, _, name = self.settings.partition(":")
        model: type[StageSettings] = getattr(importlib.import_module(module), name)
        return model


def orchestration_folder() -> Path:
    """Where the table lies, beside the plans."""
    return project_root() / "config" / "orchestration"


def read_stage(name: str) -> StageEntry:
    """The line of one stage.

    Raises
    ------
    SettingsError
        If the table cannot be read or does not hold it.
    """
    path = orchestration_folder() / f"{STAGE_TABLE}.yaml"
    table = read_mapping(path)
    if name not in table:
        raise SettingsError(f"there is no stage {name!r}", ", ".join(sorted(table)), readable(path))
    try:
        return StageEntry.model_validate(table[name])
    except ValidationError as error:
        faults = [f"{name}.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError(" | ".join(faults), mend=readable(path)) from error


def read_mapping(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file; SettingsError if it holds anything else."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{readable(path)} cannot be read: {error}", "a YAML file", readable(path)) from error
    if not isinstance(values, dict):
        raise SettingsError(f"{readable(path)} holds {type(values).__name__}", "keys and values", readable(path))
    return values
