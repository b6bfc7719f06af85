"""References such as ``${build_features.artifacts.features.path}``: what a step takes from an earlier one's result."""

import re
from collections.abc import Mapping
from typing import Any

from MLOps.errors import SettingsError

_REFERENCE = re.compile(r"\$\{([^}]*)\}")


def references(text: str) -> list[tuple[str, ...]]:
    """The dotted paths that `text` refers to, each split at its dots; the first part names a stage."""
    return [tuple(inner.split(".")) for inner in _REFERENCE.findall(text)]


def resolved(value: object, results: Mapping[str, Mapping[str, Any]]) -> object:
    """`value` with its references replaced from `results`; anything but a string stays as it is.

    A string that is nothing but one reference becomes the value that it refers to, of its own type.

    Parameters
    ----------
    value : object
        A value of a plan's YAML.
    results : mapping
        `StageResult` as plain JSON, by stage.

    Raises
    ------
    SettingsError
        If a result does not hold what is referred to.
    """
    if not isinstance(value, str):
        return value
    if whole := _REFERENCE.fullmatch(value):
        return _look_up(whole[1], results)
    return _REFERENCE.sub(lambda match: str(_look_up(match[1], results)), value)


def _look_up(path: str, results: Mapping[str, Any]) -> Any:
    found: Any = results
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            allowed = ", ".join(found) if isinstance(found, Mapping) else "nothing below it"
            raise SettingsError(f"${{{path}}}: there is no {part}", allowed or "nothing yet", "the plan's YAML")
        found = found[part]
    return found
