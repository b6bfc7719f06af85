"""The project's calls to MLflow: client, runs keyed by identity, models, versions, aliases.

Everything goes through an `MlflowClient` that is passed in; no global tracking URI, no active run.
Nothing here pickles: a model is a folder of JSON and safetensors, logged as plain files.
"""

import os
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from MLOps.errors import ServiceUnavailableError
from MLOps.settings.stage_settings import StageSettings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

IDEMPOTENCY_TAG = "idempotency_key"
MODEL_FOLDER = "model"
_PROGRESS_BAR = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"


def tracking_uri(settings: StageSettings) -> str:
    """The tracking URI, a relative sqlite path made absolute below the workspace."""
    uri = settings.tracking.uri
    prefix = "sqlite:///"
    if uri.startswith(prefix) and not uri.startswith(f"{prefix}/"):
        return f"{prefix}{settings.paths.workspace / uri.removeprefix(prefix)}"
    return uri


def open_client(settings: StageSettings) -> "MlflowClient":
    """A client for the settings' tracking store.

    Raises
    ------
    ServiceUnavailableError
        If the URI names a server that does not answer, or a store that cannot be opened.
    """
    uri = tracking_uri(settings)
    if urlsplit(uri).scheme in {"http", "https"}:
        _require_health(uri, settings.tracking.timeout_seconds)
    elif uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)

    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    os.environ.setdefault(_PROGRESS_BAR, "false")  # a bar for each file of some kilobytes hides what a stage tells
    try:
        return MlflowClient(uri)
    except MlflowException as error:
        raise _unavailable(uri, str(error)) from error


def find_client(settings: StageSettings) -> "MlflowClient | None":
    """A client for the settings' tracking store; None where nothing was ever tracked, and no store is made."""
    return open_client(settings) if settings.tracking.enabled and has_store(settings) else None


def has_store(settings: StageSettings) -> bool:
    """Whether the settings' tracking store is there; a server is taken to be, until it is asked."""
    file = sqlite_file(settings)
    return file is None or file.exists()


def sqlite_file(settings: StageSettings) -> Path | None:
    """The file of the settings' tracking store, whether it is there or not; None where it is a server."""
    prefix, uri = "sqlite:///", tracking_uri(settings)
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None


def _require_health(uri: str, timeout_seconds: int) -> None:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=timeout_seconds):
            return
    except (OSError, urllib.error.URLError) as error:
        raise _unavailable(uri, str(getattr(error, "reason", error))) from error


def _unavailable(uri: str, reason: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"MLflow at {uri} does not answer ({reason})",
        "a running MLflow server or a sqlite:/// path",
        "start it (make up), or set tracking.uri in config/common/global_vars.yaml",
    )


def experiment_id(client: "MlflowClient", settings: StageSettings) -> str:
    """The settings' experiment, made on first use; its artefacts lie in the workspace unless a server keeps them."""
    name = settings.tracking.experiment
    if found := client.get_experiment_by_name(name):
        return str(found.experiment_id)
    is_server = urlsplit(tracking_uri(settings)).scheme in {"http", "https"}
    location = None if is_server else (settings.paths.workspace / "mlartifacts" / name).as_uri()
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:
        if twin := client.get_experiment_by_name(name):  # another process made it in between
            return str(twin.experiment_id)
        raise


@contextmanager
def start_run(client: "MlflowClient", experiment: str, name: str, key: str) -> Iterator["Run"]:
    """Open the run of `key`, or continue the one that an earlier try opened; close it with its outcome."""
    run = find_run(client, experiment, key)
    if run is None:
        run = client.create_run(experiment, run_name=name, tags={IDEMPOTENCY_TAG: key})
    else:
        client.update_run(run.info.run_id, status="RUNNING")
    try:
        yield run
    except (KeyboardInterrupt, SystemExit):
        client.set_terminated(run.info.run_id, "KILLED")
        raise
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id, "FINISHED")


def find_run(client: "MlflowClient", experiment: str, key: str) -> "Run | None":
    """The oldest run tagged with `key`, if there is one."""
    runs = client.search_runs(
        [experiment],
        filter_string=f"tags.{IDEMPOTENCY_TAG} = '{key}'",
        order_by=["attributes.start_time ASC"],
        max_results=1,
    )
    return runs[0] if runs else None


def log_model(client: "MlflowClient", run_id: str, folder: Path, place: str = MODEL_FOLDER) -> str:
    """Copy a model folder to the run's `place` as plain files; returns its artefact URI, fit to be registered."""
    client.log_artifacts(run_id, str(folder), place)
    return f"{client.get_run(run_id).info.artifact_uri}/{place}"


def download_files(uri: str, source: str, names: Collection[str], folder: Path) -> None:
    """Copy those of the named files that lie directly below the artefact URI `source` into `folder`.

    The names are the caller's; what a store calls its files never becomes a path.
    """
    from mlflow import artifacts

    held = {PurePosixPath(info.path).name for info in artifacts.list_artifacts(source, tracking_uri=uri)}
    for name in sorted(held.intersection(names)):
        artifacts.download_artifacts(f"{source}/{name}", dst_path=str(folder), tracking_uri=uri)


def register(
    client: "MlflowClient", name: str, source: str, run_id: str | None, tags: Mapping[str, str]
) -> "ModelVersion":
    """Make a new version of model `name` from the files at `source`."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(name, source, run_id, tags=dict(tags))


def model_names(client: "MlflowClient") -> list[str]:
    """Names of all registered models."""
    page = client.search_registered_models()
    found = list(page)
    while page.token:
        page = client.search_registered_models(page_token=page.token)
        found += page
    return [model.name for model in found]


def search_versions(client: "MlflowClient", name: str, tags: Mapping[str, str] | None = None) -> "list[ModelVersion]":
    """All versions of model `name` that carry `tags`, the oldest first."""
    clauses = [f"name = '{name}'", *(f"tags.`{key}` = '{value}'" for key, value in (tags or {}).items())]
    page = client.search_model_versions(" AND ".join(clauses))
    found = list(page)
    while page.token:
        page = client.search_model_versions(" AND ".join(clauses), page_token=page.token)
        found += page
    return sorted(found, key=lambda version: int(version.version))


def set_alias(client: "MlflowClient", name: str, alias: str, version: str) -> None:
    """Let `alias` name `version`; whatever it named before loses it."""
    client.set_registered_model_alias(name, alias, version)


def by_alias(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    """The version that `alias` names, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise
