"""The model registry in MLflow: aliases, never stages; plain files, never pickle.

The digest is a tag of the version, and each verdict another one. A version's files lie with the run
that made it; a model that no run made gets a run of its own.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking import mlflow_utils
from MLOps.errors import DigestError, ServiceUnavailableError
from MLOps.inference.model_files import MODEL_FILES, check_digest, model_digest
from MLOps.settings.stage_settings import StageSettings
from model_registry.registry import (
    ModelVersion,
    check_alias,
    check_binding,
    check_name,
    check_removable,
    is_name,
    unknown_version,
)
from model_registry.verdict import Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as StoredVersion

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST_TAG = "model.sha256"
_VERDICT_TAG = "verdict."


class MlflowRegistry:
    """Model versions in an MLflow store.

    Parameters
    ----------
    client : MlflowClient
        Open client of the store.
    uri : str
        Its tracking URI.
    experiment : callable
        Gives the experiment of the runs that are made for models without one, made on first use.
    cache : Path
        Folder for fetched files, by digest.
    """

    def __init__(self, client: "MlflowClient", uri: str, experiment: Callable[[], str], cache: Path) -> None:
        self._client, self._uri, self._experiment, self._cache = client, uri, experiment, cache

    @classmethod
    def open(cls, settings: StageSettings) -> "MlflowRegistry":
        """The registry of the settings' tracking store."""
        client = mlflow_utils.open_client(settings)
        experiment = partial(mlflow_utils.experiment_id, client, settings)
        return cls(client, mlflow_utils.tracking_uri(settings), experiment, settings.paths.cache / "models")

    def register(self, folder: Path, name: str, tags: Mapping[str, str], run_id: str = "") -> ModelVersion:
        digest = model_digest(folder)
        if found := self._by_digest(name, digest):
            return found
        if run_id:
            return self._register(folder, name, digest, tags, run_id)
        key = f"model-{check_name(name)}-{digest[:16]}"
        with mlflow_utils.start_run(self._client, self._experiment(), key, key) as run:
            return self._register(folder, name, digest, tags, run.info.run_id)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        self.by_version(name, version)
        mlflow_utils.set_alias(self._client, name, check_alias(alias), str(version))

    def by_alias(self, name: str, alias: str) -> ModelVersion | None:
        found = mlflow_utils.by_alias(self._client, check_name(name), check_alias(alias))
        return _read(found) if found else None

    def by_version(self, name: str, version: int) -> ModelVersion:
        return _read(self._stored(name, version))

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(filter(is_name, mlflow_utils.model_names(self._client))))

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        return tuple(_read(found) for found in mlflow_utils.search_versions(self._client, check_name(name)))

    def aliases(self, name: str) -> dict[str, int]:
        models = self._client.search_registered_models(f"name = '{check_name(name)}'")
        return {alias: int(version) for model in models for alias, version in sorted(model.aliases.items())}

    def store_verdict(self, version: ModelVersion, verdict: Verdict) -> None:
        check_binding(self.by_version(version.name, version.version), verdict)
        tag = f"{_VERDICT_TAG}{verdict.key}"
        self._client.set_model_version_tag(version.name, str(version.version), tag, verdict.model_dump_json())

    def verdicts(self, version: ModelVersion) -> tuple[Verdict, ...]:
        return verdicts_in(self._stored(version.name, version.version).tags)

    def fetch(self, version: ModelVersion) -> Path:
        self._cache.mkdir(parents=True, exist_ok=True)
        folder = self._cached(version)
        source = self._stored(version.name, version.version).source or ""
        with tempfile.TemporaryDirectory(dir=self._cache, prefix=".") as name:
            fetched = Path(name, "model")
            fetched.mkdir()
            mlflow_utils.download_files(self._uri, source, MODEL_FILES, fetched)
            check_digest(fetched, version.digest)
            folder.mkdir(exist_ok=True)
            for file in fetched.iterdir():  # each rename is whole, and a twin process moves the same bytes
                file.replace(folder / file.name)
        return folder

    def remove(self, version: ModelVersion) -> None:
        check_removable(version, self.aliases(version.name), self.verdicts(version))
        self._client.delete_model_version(version.name, str(version.version))
        shutil.rmtree(self._cached(version), ignore_errors=True)

    def _register(self, folder: Path, name: str, digest: str, tags: Mapping[str, str], run_id: str) -> ModelVersion:
        """Make a version; of twins that two processes made at once, the first stays."""
        place = f"{mlflow_utils.MODEL_FOLDER}/{digest[:16]}"  # a retry that trained otherwise overwrites nothing
        source = mlflow_utils.log_model(self._client, run_id, folder, place)
        made = mlflow_utils.register(self._client, name, source, run_id, {**tags, _DIGEST_TAG: digest})
        first = self._by_digest(name, digest)
        if first is None:
            raise ServiceUnavailableError(f"MLflow at {self._uri} does not show version {made.version} of {name}")
        if first.version != int(made.version):
            self._client.delete_model_version(name, made.version)
        return first

    def _cached(self, version: ModelVersion) -> Path:
        if not _SHA256.fullmatch(version.digest):  # registered by other hands; it must not become a path
            raise DigestError(f"{version.name} version {version.version} has no digest", "a model registered here")
        return self._cache / version.digest

    def _by_digest(self, name: str, digest: str) -> ModelVersion | None:
        found = mlflow_utils.search_versions(self._client, check_name(name), {_DIGEST_TAG: digest})
        return _read(found[0]) if found else None

    def _stored(self, name: str, version: int) -> "StoredVersion":
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version(check_name(name), str(int(version)))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise unknown_version(name, version) from error
            raise


def version_of(name: str, number: int, run_id: str, tags: Mapping[str, str]) -> ModelVersion:
    """A version out of what MLflow's store tells of it."""
    given = {tag: text for tag, text in tags.items() if tag != _DIGEST_TAG and not tag.startswith(_VERDICT_TAG)}
    return ModelVersion(name, number, tags.get(_DIGEST_TAG, ""), run_id, given)


def verdicts_in(tags: Mapping[str, str]) -> tuple[Verdict, ...]:
    """The verdicts among a version's tags, the oldest evidence first."""
    found = [Verdict.model_validate_json(text) for tag, text in tags.items() if tag.startswith(_VERDICT_TAG)]
    return tuple(sorted(found, key=lambda verdict: (str(verdict.as_of or ""), verdict.key)))


def _read(stored: "StoredVersion") -> ModelVersion:
    return version_of(stored.name, int(stored.version), stored.run_id or "", stored.tags)
