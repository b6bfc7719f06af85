"""MLflow's registry, read out of its SQLite file: what is registered, without the seconds that importing MLflow takes.

The tables are MLflow's own affair. So they are read only where the store tells the revision that is known here.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from MLOps.errors import ServiceUnavailableError
from MLOps.inference.model_files import check_digest
from model_registry.mlflow_registry import verdicts_in, version_of
from model_registry.registry import ModelVersion, RegistryReader, check_alias, check_name, is_name, unknown_version
from model_registry.verdict import Verdict

REVISION = "dc11669786a5"  # of the tables of MLflow 3.17; a test holds it against the one that is installed
_BUSY_SECONDS = 5.0  # a writer holds the file for milliseconds; who only looks can come again
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_KEPT_VERSIONS = "model_versions WHERE workspace = 'default' AND name = ? AND current_stage != 'Deleted_Internal'"


class SqliteReader:
    """What a SQLite store of MLflow's holds.

    Parameters
    ----------
    path : Path
        The store.
    open_whole : callable
        Opens the same registry through MLflow, for models whose files do not lie on this machine.
    busy_seconds : float, optional
        How long to wait where another program holds the store.
    """

    def __init__(
        self, path: Path, open_whole: Callable[[], RegistryReader], busy_seconds: float = _BUSY_SECONDS
    ) -> None:
        self._path, self._open_whole, self._busy_seconds = path, open_whole, busy_seconds

    def can_read(self) -> bool:
        """Whether the store's tables are those that are known here.

        Raises
        ------
        ServiceUnavailableError
            If another program holds the store; so does every other method.
        """
        try:
            return self._rows("SELECT version_num FROM alembic_version") == [(REVISION,)]
        except sqlite3.Error:
            return False

    def names(self) -> tuple[str, ...]:
        found = self._rows("SELECT name FROM registered_models WHERE workspace = 'default'")
        return tuple(sorted(name for (name,) in found if is_name(name)))

    def by_alias(self, name: str, alias: str) -> ModelVersion | None:
        query = "SELECT version FROM registered_model_aliases WHERE workspace = 'default' AND name = ? AND alias = ?"
        found = self._rows(query, check_name(name), check_alias(alias))
        return self.by_version(name, found[0][0]) if found else None

    def by_version(self, name: str, version: int) -> ModelVersion:
        run_id, _ = self._stored(name, version)
        return version_of(name, version, run_id, self._tags(name, version))

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        numbers = self._rows(f"SELECT version FROM {_KEPT_VERSIONS} ORDER BY version", check_name(name))
        return tuple(self.by_version(name, number) for (number,) in numbers)

    def verdicts(self, version: ModelVersion) -> tuple[Verdict, ...]:
        self._stored(version.name, version.version)
        return verdicts_in(self._tags(version.name, version.version))

    def fetch(self, version: ModelVersion) -> Path:
        _, source = self._stored(version.name, version.version)
        place = urlsplit(source)
        if place.scheme not in {"", "file"}:
            return self._open_whole().fetch(version)
        folder = Path(url2pathname(place.path))
        check_digest(folder, version.digest)
        return folder

    def _stored(self, name: str, version: int) -> tuple[str, str]:
        """Run and place of the files of a version."""
        query = f"SELECT run_id, source FROM {_KEPT_VERSIONS} AND version = ?"
        found = self._rows(query, check_name(name), int(version))
        if not found:
            raise unknown_version(name, version)
        run_id, source = found[0]
        return run_id or "", source or ""

    def _tags(self, name: str, version: int) -> dict[str, str]:
        query = "SELECT key, value FROM model_version_tags WHERE workspace = 'default' AND name = ? AND version = ?"
        return dict(self._rows(query, name, version))

    def _rows(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        uri = f"{self._path.as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=self._busy_seconds)) as store:
                return store.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _LOCKED:
                raise
            raise ServiceUnavailableError(
                f"the registry {self._path.name} is locked by another program for {self._busy_seconds:g} s and more",
                "a registry that can be read",
                "end what holds it, or try again",
            ) from error
