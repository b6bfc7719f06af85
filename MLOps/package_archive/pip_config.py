"""Which package index the user's pip is set up for, read the way pip reads it.

Files first (system, user, environment's own, PIP_CONFIG_FILE), then PIP_* variables over them. pip
itself need not be installed.
"""

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SECTIONS = ("global", "download")


@dataclass(frozen=True)
class PackageIndex:
    """Where packages are looked for."""

    index_urls: tuple[str, ...]
    find_links: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    certificate: str | None


def read_pip_config(environment: Mapping[str, str] = os.environ) -> PackageIndex:
    """The index of the user's pip configuration; the public one if nothing is configured."""
    values: dict[str, str] = {}
    for path in _config_files(environment):
        values |= _read(path)
    values |= {
        name[4:].lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith("PIP_") and value
    }
    main = [] if _is_true(values.get("no-index", "")) else [values.get("index-url") or _public_index()]
    extra = values.get("extra-index-url", "").split() if main else []
    return PackageIndex(
        index_urls=(*main, *extra),
        find_links=tuple(values.get("find-links", "").split()),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        certificate=values.get("cert"),
    )


def _public_index() -> str:
    """The index that `unearth` asks when it is told none: PyPI, as pip does."""
    from unearth import PackageFinder

    (source,) = PackageFinder().sources
    return source["url"]


def _config_files(environment: Mapping[str, str]) -> Iterator[Path]:
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    home = Path(environment.get("HOME", "~")).expanduser()
    for folder in reversed(environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield Path(folder, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    yield Path(sys.prefix, "pip.conf")
    if chosen:
        yield Path(chosen)


def _read(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read(path, encoding="utf-8")
    return {
        name.lower().replace("_", "-"): value
        for section in _SECTIONS
        if parser.has_section(section)
        for name, value in parser.items(section)
    }


def _is_true(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on", "y", "t"}
