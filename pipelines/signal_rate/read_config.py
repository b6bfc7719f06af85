"""The configuration of the signal-rate job: seed, window and version, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

import yaml

from MLOps.errors import SettingsError

_ALLOWED = "seed: an integer; window: an integer >= 1; version: a string, in quotes where it looks like a number"
_IS_RIGHT: dict[str, Callable[[Any], bool]] = {  # True and False are no integers here
    "seed": lambda value: type(value) is int,
    "window": lambda value: type(value) is int and value >= 1,
    "version": lambda value: type(value) is str,
}


@dataclass(frozen=True)
class SignalRateConfig:
    """What the job is told to do.

    Attributes
    ----------
    seed : int
        Handed on to the metrics: the job draws nothing by chance.
    window : int
        Rows of the rolling mean, at least 1.
    version : str
        Handed on to the metrics.
    """

    seed: int
    window: int
    version: str


def read_mapping(path: Path) -> dict[Any, Any]:
    """The keys and values of a YAML file.

    Raises
    ------
    SettingsError
        If there is no such file, it cannot be read, is no YAML in UTF-8, is no mapping, or says a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        root: Any = yaml.compose(text, yaml.SafeLoader)
        values = yaml.safe_load(text)
    except FileNotFoundError as error:
        raise SettingsError(f"{path} does not exist", "a YAML file") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}", "a YAML file") from error
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsError(f"{path} is not YAML: {error.problem}{line}", _ALLOWED) from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} is not YAML in UTF-8: {error}", _ALLOWED) from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} holds no keys", _ALLOWED)
    names = [key.value for key, _ in root.value]
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise SettingsError(f"{path} says twice: {', '.join(twice)}", "each key once")
    return values


def checked(values: dict[Any, Any], path: Path) -> SignalRateConfig:
    """The configuration that `values`, read from `path`, hold.

    Raises
    ------
    SettingsError
        If a key is missing, unknown, of another type or out of its bounds: all such faults at once.
    """
    faults = [_fault(name, values) for name in _IS_RIGHT]
    faults += [f"unknown key {shortened(key)}" for key in values if key not in _IS_RIGHT]
    if told := [fault for fault in faults if fault]:
        raise SettingsError(f"{path}: {', '.join(told)}", _ALLOWED)
    return SignalRateConfig(**values)


def _fault(name: str, values: dict[Any, Any]) -> str | None:
    if name not in values:
        return f"no {name}"
    return None if _IS_RIGHT[name](values[name]) else f"{name}={shortened(values[name])}"
