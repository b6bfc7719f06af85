"""A fault of the settings in one clause: what was given, what is allowed or may be meant, where to mend it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, Tag

from MLOps.settings.secret_values import MASK, is_secret, masked

_ALIKE = 0.7  # difflib's ratio from which two names are alike
_NAMED_KEY = re.compile(r"([\w.]+)=")
_NAMED = 3  # keys that are named at most


@dataclass(frozen=True)
class Layer:
    """Where the values below `section` came from; the last layer that holds a key owns it."""

    label: str
    section: str
    keys: frozenset[str]


def told_fault(settings_type: type[BaseModel], fault: Any, layers: Sequence[Layer]) -> str:
    """One fault, as pydantic lists it, in one clause."""
    key, allowed = _locate(settings_type, fault["loc"])
    if fault["type"] == "extra_forbidden":
        text = f"{key}: unknown key" + _meant(key, allowed, layers)
        text += f"; allowed: {', '.join(allowed)}" if allowed else ""
    elif fault["type"] == "missing":
        text = f"{key}: is missing"
    elif isinstance(fault["input"], dict):
        message = fault["msg"].removeprefix("Value error, ")
        return f"{key}: {message}".removeprefix(": ") + f"; mend: {_origin_of_named(key, message, layers)}"
    else:
        given = MASK if is_secret(key) else masked(repr(fault["input"]))
        text = f"{key}={given}: {fault['msg']}"
    return f"{text}; mend: {_origin(key, layers)}"


def _meant(key: str, allowed: Sequence[str], layers: Sequence[Layer]) -> str:
    """What was probably meant: keys of the same name elsewhere, else one that is spelt alike in the same place."""
    section, _, name = key.rpartition(".")
    held = dict.fromkeys(other for layer in layers for other in sorted(layer.keys) if other != key)
    elsewhere = [other for other in held if other.rpartition(".")[2] == name]
    alike = [f"{section}.{found}".lstrip(".") for found in get_close_matches(name, allowed, 1, _ALIKE)]
    meant = " or ".join((elsewhere or alike)[:_NAMED])
    return f", did you mean {meant}?" if meant else ""


def _locate(settings_type: type[BaseModel], place: Sequence[int | str]) -> tuple[str, list[str]]:
    """The key as its author wrote it, a union's tags left out, and the fields of the model that it belongs to."""
    names: list[str] = []
    allowed: list[str] = []
    kind: Any = settings_type
    for part in place:
        if part in (members := _tagged_members(kind)):
            kind = members[part]
            continue
        names.append(str(part))
        fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
        allowed = list(fields)
        kind = fields[part].annotation if part in fields else None
    return ".".join(names), allowed


def _tagged_members(annotation: Any) -> dict[int | str, Any]:
    """The models of a discriminated union, by tag."""
    return {
        mark.tag: get_args(member)[0]
        for member in get_args(annotation)
        for mark in getattr(member, "__metadata__", ())
        if isinstance(mark, Tag)
    }


def _origin_of_named(section: str, message: str, layers: Sequence[Layer]) -> str:
    """Where to mend a fault between keys of a section: the last layer that holds one that the message names."""
    named = {f"{section}.{name}".lstrip(".") for name in _NAMED_KEY.findall(message)}
    return next((layer.label for layer in reversed(layers) if layer.keys & named), _origin(section, layers))


def _origin(key: str, layers: Sequence[Layer]) -> str:
    """Label of the last layer that holds `key`, or the nearest key above it."""
    while key:
        for layer in reversed(layers):
            if key in layer.keys or any(held.startswith(f"{key}.") for held in layer.keys):
                return layer.label
        key = key.rpartition(".")[0]
    return layers[0].label if layers else "the settings"
