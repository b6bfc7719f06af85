"""Credentials, from the environment or from the file config/api_keys.yaml, which Git ignores."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from MLOps.errors import SettingsError
from MLOps.settings.project import project_root

_KEY_FILE = "config/api_keys.yaml"


@dataclass(frozen=True)
class ApiKeys:
    """A key and its secret; neither is ever shown."""

    key: str = field(repr=False)
    secret: str = field(repr=False)


def read_api_keys(service: str, environment: Mapping[str, str] | None = None) -> ApiKeys:
    """Keys of `service` from ``<SERVICE>_API_KEY`` and ``<SERVICE>_SECRET_KEY``, else from the key file.

    Raises
    ------
    SettingsError
        If they are in neither place, or the key file is not YAML.
    """
    environment = os.environ if environment is None else environment
    names = (f"{service.upper()}_API_KEY", f"{service.upper()}_SECRET_KEY")
    held = [environment.get(name) for name in names]
    if not all(held):
        section = _key_file().get(service) or {}
        held = [section.get("api_key"), section.get("secret_key")]
    if not all(held):
        raise SettingsError(
            f"no keys for {service}", " and ".join(names), f"the environment or {_KEY_FILE} (see api_keys.example.yaml)"
        )
    return ApiKeys(str(held[0]), str(held[1]))


def read_api_key(service: str, environment: Mapping[str, str] | None = None) -> str | None:
    """The one key of a `service` without a secret: ``<SERVICE>_API_KEY``, else the key file; None if in neither.

    Raises
    ------
    SettingsError
        If the variable is set but empty, or the key file is not YAML.
    """
    environment = os.environ if environment is None else environment
    name = f"{service.upper()}_API_KEY"
    given = environment.get(name)
    if given == "":  # a secret that did not arrive, rather than a wish for none
        raise SettingsError(f"{name} is set, but empty", "a key, or no such variable", "the environment")
    section = _key_file().get(service)
    kept = section.get("api_key") if isinstance(section, dict) else None
    return given or (str(kept) if kept else None)


def _key_file() -> Mapping[str, Mapping[str, str]]:
    path = project_root() / _KEY_FILE
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        # The error quotes the file, and the file holds secrets.
        raise SettingsError(f"{_KEY_FILE} is not YAML", mend=_KEY_FILE) from None
    return content if isinstance(content, dict) else {}
