"""YAML to frozen settings: composition, files laid over it, overrides laid over those.

Three layers, the later one wins: the stage's primary YAML with its groups (Hydra's compose API over
config/ and hyperparameters/), files given by flag, ``key=value`` overrides. All faults are told at
once, each with its value, what is allowed, and the file or override it came from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from MLOps.errors import SettingsError
from MLOps.settings.project import project_root, readable
from MLOps.settings.secret_values import masked, masked_override
from MLOps.settings.setting_faults import Layer, told_fault

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from hydra.errors import MissingConfigException
    from omegaconf import DictConfig

SettingsT = TypeVar("SettingsT", bound=BaseModel)


@dataclass(frozen=True)
class SettingsFile:
    """A YAML file to lay over the composition.

    `section` is the dotted key it fills ("" for the whole); with `replaces` what was composed there
    is dropped first.
    """

    path: Path
    section: str = ""
    replaces: bool = False


def compose_settings(
    settings_type: type[SettingsT],
    stage: str,
    overrides: Sequence[str] = (),
    files: Sequence[SettingsFile] = (),
) -> SettingsT:
    """The settings of a stage.

    Parameters
    ----------
    settings_type : type
        The frozen model to fill.
    stage : str
        Names the primary file, ``config/stages/<stage>.yaml``.
    overrides : sequence of str
        ``key=value``, in Hydra's grammar; a group of the defaults list is chosen the same way.
    files : sequence of SettingsFile
        Laid over the composition in their order.

    Raises
    ------
    SettingsError
        On a missing or malformed file, an unknown key, a wrong type or a value out of bounds.
    """
    values, layers = compose_values(stage, overrides, files)
    return validated(settings_type, values, layers)


def compose_values(
    stage: str, overrides: Sequence[str] = (), files: Sequence[SettingsFile] = ()
) -> tuple[dict[str, Any], list[Layer]]:
    """The composed values as plain containers, and the layers that they came from."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    choices, assignments = _split(overrides, _groups_of(stage))
    config, layers = _compose(project_root() / "config", f"stages/{stage}", choices)
    try:
        for file in files:
            laid, file_layers = _compose_file(file)
            if file.replaces:
                OmegaConf.update(config, file.section, {}, merge=False, force_add=True)
            target = OmegaConf.create({})
            if file.section:
                OmegaConf.update(target, file.section, laid)
            else:
                target = laid
            config = _merged(config, target)
            layers += file_layers
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise SettingsError(_first_line(error), "keys that fit the sections of config/", "the overrides") from error
    assert isinstance(values, dict)
    for override in assignments:
        _assign(values, override)
        layers.append(Layer(f"command line: {_shown(override)}", "", frozenset({override.key_or_group})))
    return {str(key): value for key, value in values.items()}, layers


def _assign(values: dict[Any, Any], override: "Override") -> None:
    """Set the override's key to its value as it was given: ``${...}`` in it is plain text."""
    *sections, name = override.key_or_group.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(
                f"override {_shown(override)!r}: {section} has no keys below it", mend="the command line"
            )
    given = override.value()
    if isinstance(given, dict) and isinstance(values.get(name), dict):
        given = {**values[name], **given}
    values[name] = given


def validated(settings_type: type[SettingsT], values: Mapping[str, Any], layers: Sequence[Layer]) -> SettingsT:
    """`values` as `settings_type`, with every fault told in one `SettingsError`."""
    try:
        return settings_type.model_validate(values)
    except ValidationError as error:
        faults = [told_fault(settings_type, fault, layers) for fault in error.errors()]
        raise SettingsError(" | ".join(dict.fromkeys(faults))) from error


def _merged(config: "DictConfig", over: "DictConfig") -> "DictConfig":
    from omegaconf import DictConfig, OmegaConf

    merged = OmegaConf.merge(config, over)
    assert isinstance(merged, DictConfig)
    return merged


def _compose_file(file: SettingsFile) -> tuple["DictConfig", list[Layer]]:
    path = file.path.resolve()
    if not path.is_file():
        raise SettingsError(f"{file.path} does not exist", "an existing YAML file", "the flag that names it")
    _check_yaml(path)
    config, layers = _compose(path.parent, path.stem, [])
    prefix = f"{file.section}." if file.section else ""
    return config, [Layer(layer.label, file.section, frozenset(prefix + key for key in layer.keys)) for layer in layers]


def _check_yaml(path: Path) -> None:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{readable(path)} is not YAML: {_first_line(error)}", mend=readable(path)) from error
    if not isinstance(content, dict):
        raise SettingsError(f"{readable(path)} holds {type(content).__name__}", "keys and values", readable(path))


def _compose(folder: Path, name: str, overrides: list[str]) -> tuple["DictConfig", list[Layer]]:
    """Compose ``<folder>/<name>.yaml`` with both roots on Hydra's search path."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    roots = [project_root() / "hyperparameters", project_root() / "config"]
    search_path = ",".join(f"'file://{root}'" for root in roots if root != folder)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(folder), version_base="1.3"):
            config = compose(name, [f"hydra.searchpath=[{search_path}]", *overrides], return_hydra_config=True)
            OmegaConf.set_struct(config, False)
            chosen = dict(config.hydra.runtime.choices)
            del config["hydra"]
    except MissingConfigException as error:
        raise _no_choice(error, overrides, folder / f"{name}.yaml") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise SettingsError(_first_line(error), mend=readable(folder / f"{name}.yaml")) from error
    return config, _layers(folder, name, chosen)


def _no_choice(error: "MissingConfigException", overrides: Sequence[str], primary: Path) -> SettingsError:
    """A YAML that was chosen and is not there: by an override, else by the primary file or one that it takes."""
    missing = error.missing_cfg_file or ""
    choice = missing.rpartition("/")[2]
    given = next((text for text in overrides if text.partition("=")[2].strip("'\"") == choice), None)
    allowed = ", ".join(error.options or ())
    if given is None:
        return SettingsError(f"there is no {missing}.yaml", allowed, readable(primary))
    told = masked_override(given)
    return SettingsError(told, allowed, f"command line: {told}")


def _layers(folder: Path, name: str, chosen: Mapping[Any, Any]) -> list[Layer]:
    layers = []
    for group, choice in chosen.items():
        source, _, package = str(group).partition("@")
        if source.startswith("hydra/"):
            continue
        section = "" if package == "_global_" else package or source.replace("/", ".")
        for root in (project_root() / "config", project_root() / "hyperparameters"):
            path = root / source / f"{choice}.yaml"
            if path.is_file():
                layers.append(Layer(readable(path), section, _keys_of(path, section)))
    primary = folder / f"{name}.yaml"
    return [Layer(readable(path), "", _keys_of(path, "")) for path in (_shared(), primary)] + layers


def _shared() -> Path:
    return project_root() / "config" / "common" / "global_vars.yaml"


def _keys_of(path: Path, section: str) -> frozenset[str]:
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return frozenset(_dotted(content, f"{section}." if section else ""))


def _dotted(content: Any, prefix: str) -> Iterable[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key == "defaults" and not prefix:
                continue
            yield f"{prefix}{key}"
            yield from _dotted(value, f"{prefix}{key}.")


def _groups_of(stage: str) -> list[str]:
    """What chooses a YAML of the stage's defaults list: ``data``, or ``rl_agents@agent`` where the section differs."""
    primary = project_root() / "config" / "stages" / f"{stage}.yaml"
    defaults = yaml.safe_load(primary.read_text(encoding="utf-8")).get("defaults", []) if primary.is_file() else []
    entries = (str(key).lstrip("/").partition("@") for entry in defaults if isinstance(entry, dict) for key in entry)
    return [group if section in {"", group} else f"{group}@{section}" for group, _, section in entries]


def _split(overrides: Sequence[str], groups: Sequence[str]) -> tuple[list[str], list["Override"]]:
    """Group choices for the defaults list, and assignments to keys."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    choices, assignments = [], []
    parser = OverridesParser.create()
    for text in overrides:
        shown = masked_override(text)
        try:
            override = parser.parse_override(text)
        except HydraException as error:
            raise SettingsError(f"override {shown!r} cannot be read", "key=value", "the command line") from error
        if override.is_sweep_override() or not override.type or override.type.name != "CHANGE":
            raise SettingsError(f"override {shown!r}", "key=value, one value a key", "the command line")
        key, value = override.key_or_group, override.value()
        if override.package is not None:
            choices.append(text)
        elif key in groups and isinstance(value, (str, int, float)):
            choices.append(text if isinstance(value, str) else f"{key}='{value}'")  # Hydra takes names alone
        elif _is_group(key, value):
            raise SettingsError(f"{shown}: no group of this stage", ", ".join(groups) or "none", "the command line")
        else:
            assignments.append(override)
    return choices, assignments


def _shown(override: "Override") -> str:
    return masked_override(str(override.input_line))


def _is_group(key: str, value: Any) -> bool:
    roots = (project_root() / "config", project_root() / "hyperparameters")
    return isinstance(value, str) and any((root / key / f"{value}.yaml").is_file() for root in roots)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return masked(lines[0].strip()) if lines else type(error).__name__
