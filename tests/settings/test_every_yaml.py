"""Every YAML composes and validates, and YAML is the only place of a default."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest
import yaml
from pydantic import BaseModel

import MLOps.settings
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from MLOps.settings.cleaning import CleaningSettings
from MLOps.settings.compose import compose_settings
from MLOps.settings.dashboard import DashboardSettings
from MLOps.settings.local_services import LocalServicesSettings
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from MLOps.settings.project import project_root
from MLOps.settings.sample_data import SampleDataSettings
from MLOps.settings.stage_settings import Settings, StageSettings

ROOT = project_root()
TABLE = yaml.safe_load((ROOT / "config/orchestration/stages.yaml").read_text())
BESIDE_THE_STAGES: dict[str, type[StageSettings]] = {
    "clean_runs": CleaningSettings,
    "dashboard": DashboardSettings,
    "deliver_alerts": DeliverAlertsSettings,
    "local_services": LocalServicesSettings,
    "monitoring_services": MonitoringServicesSettings,
    "write_sample_data": SampleDataSettings,
}
OF_BUY_TIMING = {"dca_timing"}
"""Files of the group of environments that hold another market's settings than the others: one cannot replace those."""
PRIMARIES = sorted(path.stem for path in (ROOT / "config/stages").glob("*.yaml"))


def _settings_of(primary: str) -> type[StageSettings]:
    if primary in BESIDE_THE_STAGES:
        return BESIDE_THE_STAGES[primary]
    module, _, name = TABLE[primary]["settings"].partition(":")
    found: type[StageSettings] = getattr(importlib.import_module(module), name)
    return found


def _group_choices() -> Iterator[tuple[str, str]]:
    """Each file of a group with a primary that takes the group: ("train_rl_agent", "rl_agents@agent=sac_...")."""
    for primary in PRIMARIES:
        for entry in yaml.safe_load((ROOT / f"config/stages/{primary}.yaml").read_text())["defaults"]:
            if not isinstance(entry, dict):
                continue
            group, _, section = next(iter(entry)).lstrip("/").partition("@")
            key = group if section == group else f"{group}@{section}"  # Hydra takes no other name
            folders = (ROOT / root / group for root in ("config", "hyperparameters"))
            choices = [path.stem for folder in folders for path in sorted(folder.glob("*.yaml"))]
            (default,) = entry.values()
            alike = [choice for choice in choices if (choice in OF_BUY_TIMING) == (default in OF_BUY_TIMING)]
            yield from ((primary, f"{key}={choice}") for choice in alike)


def _models() -> list[type[BaseModel]]:
    for module in pkgutil.iter_modules(MLOps.settings.__path__, "MLOps.settings."):
        importlib.import_module(module.name)
    found, queue = [], [Settings]
    while queue:
        model = queue.pop()
        queue += model.__subclasses__()
        found += [model] if model.__module__.startswith("MLOps.settings.") else []
    return sorted(found, key=lambda model: model.__qualname__)


@pytest.mark.parametrize("primary", PRIMARIES)
def test_primary_composes_and_validates(primary: str) -> None:
    assert compose_settings(_settings_of(primary), primary)


def test_every_stage_of_the_table_has_its_primary() -> None:
    assert set(TABLE) | set(BESIDE_THE_STAGES) == set(PRIMARIES)


@pytest.mark.parametrize(("primary", "choice"), list(_group_choices()))
def test_group_choice_composes_and_validates(primary: str, choice: str) -> None:
    assert compose_settings(_settings_of(primary), primary, [choice])


def test_every_file_of_a_group_is_a_choice_somewhere() -> None:
    reached = {re.sub("@.*=|=", "/", choice) for _, choice in _group_choices()}
    apart = {"common", "orchestration", "stages"}
    files = {path for path in (ROOT / "config").glob("*/*.yaml") if path.parent.name not in apart}
    tunables = {f"{path.parent.name}/{path.stem}" for path in (ROOT / "hyperparameters").glob("*/*.yaml")}
    assert {f"{path.parent.name}/{path.stem}" for path in files} == reached - tunables


def test_every_hyperparameter_file_belongs_to_an_agent_or_a_stage() -> None:
    takers = [path for group in ("rl_agents", "stages") for path in (ROOT / "config" / group).glob("*.yaml")]
    entries = [entry for taker in takers for entry in yaml.safe_load(taker.read_text())["defaults"]]
    taken = {entry.partition("@")[0].lstrip("/") for entry in entries if isinstance(entry, str)}
    groups = {next(iter(entry)).partition("@")[0].lstrip("/") for entry in entries if isinstance(entry, dict)}
    root = ROOT / "hyperparameters"
    files = {path.relative_to(root).with_suffix("") for path in root.rglob("*.yaml")}
    assert [file.as_posix() for file in files if not {file.as_posix(), file.parent.as_posix()} & (taken | groups)] == []


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__qualname__)
def test_field_has_a_description_and_no_default(model: type[BaseModel]) -> None:
    fields = model.model_fields.items()
    assert [name for name, field in fields if not field.description] == []
    assert [name for name, field in fields if not field.is_required()] == []


def test_every_stage_of_the_table_has_its_script() -> None:
    assert all((ROOT / entry["script"]).is_file() for entry in TABLE.values())
