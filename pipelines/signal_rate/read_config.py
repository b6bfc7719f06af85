"""The configuration of the signal-rate job: seed, window and version, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

import yaml

from MLOps.errors import SettingsError

Pairs = list[tuple[Any, Any]]

_ALLOWED = "seed: an integer; window: an integer >= 1; version: printable text, in quotes where it looks like a number"
_MOST_DIGITS = 640  # as many Python writes, however its own limit is set
_TOO_LARGE: int = 10**_MOST_DIGITS
_IS_RIGHT: dict[str, Callable[[Any], bool]] = {  # True and False are no integers here
    "seed": lambda value: type(value) is int and abs(value) < _TOO_LARGE,
    "window": lambda value: type(value) is int and 1 <= value < _TOO_LARGE,
    "version": lambda value: type(value) is str and value.isprintable(),  # a line break would forge a line of the log
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


def read_pairs(path: Path) -> Pairs:
    """The keys and values of a YAML file, in their order; a key may come twice.

    Raises
    ------
    SettingsError
        If there is no such file, it cannot be read, is no YAML in UTF-8, or is no mapping.
    """
    try:
        pairs = _pairs(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path} does not exist", "a YAML file") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}", "a YAML file") from error
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsError(f"{path} is not YAML: {error.problem}{line}", _ALLOWED) from error
    except (UnicodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} is not YAML in UTF-8: {error}", _ALLOWED) from error
    except Exception as error:  # PyYAML's own, of many types, where a value does not fit its tag
        reason = f"{type(error).__name__}: {error}"
        raise SettingsError(f"{path} holds a value that cannot be read: {reason}", _ALLOWED) from error
    if pairs is None:
        raise SettingsError(f"{path} holds no keys", _ALLOWED)
    return pairs


def _pairs(text: str) -> Pairs | None:
    loader = yaml.SafeLoader(text)
    root = loader.get_single_node()
    if not isinstance(root, yaml.MappingNode):
        return None
    return [
        (loader.construct_object(key, deep=True), loader.construct_object(value, deep=True))
        for key, value in root.value
    ]


def version_in(pairs: Pairs) -> str | None:
    """The version, if `pairs` hold one and it is a text; right or not."""
    versions = [value for key, value in pairs if key == "version"]
    return versions[0] if len(versions) == 1 and isinstance(versions[0], str) else None


def checked(pairs: Pairs, path: Path) -> SignalRateConfig:
    """The configuration that `pairs`, read from `path`, hold.

    Raises
    ------
    SettingsError
        If a key is missing, said twice, unknown, of another type or out of its bounds: all such faults at once.
    """
    faults = [_fault(name, [value for key, value in pairs if key == name]) for name in _IS_RIGHT]
    faults += [f"unknown key {_shown(key)}" for key, _ in pairs if key not in list(_IS_RIGHT)]  # which may have no hash
    if told := [fault for fault in faults if fault]:
        raise SettingsError(f"{path}: {', '.join(told)}", _ALLOWED)
    return SignalRateConfig(**dict(pairs))


def _fault(name: str, values: list[Any]) -> str | None:
    if len(values) != 1:
        return f"{name} said twice" if values else f"no {name}"
    return None if _IS_RIGHT[name](values[0]) else f"{name}={_shown(values[0])}"


def _shown(value: Any) -> str:
    if type(value) is int and abs(value) >= _TOO_LARGE:
        return f"an integer of more than {_MOST_DIGITS} digits"
    try:
        return shortened(value)
    except ValueError:  # it holds such an integer
        return f"a {type(value).__name__}"
