"""Which store keeps the models; the one place that knows them all."""

from functools import partial

from experiment_tracking.mlflow_utils import sqlite_file
from MLOps.settings.stage_settings import StageSettings
from model_registry.filesystem_registry import FilesystemRegistry
from model_registry.mlflow_registry import MlflowRegistry
from model_registry.registry import ModelRegistry, RegistryReader
from model_registry.sqlite_reader import SqliteReader


def open_registry(settings: StageSettings) -> ModelRegistry:
    """The registry that the settings name.

    Raises
    ------
    ServiceUnavailableError
        If it is MLflow's, and its store cannot be reached.
    """
    if settings.registry.kind == "filesystem":
        return FilesystemRegistry(settings.paths.models / "registry")
    return MlflowRegistry.open(settings)


def find_registry(settings: StageSettings) -> RegistryReader | None:
    """The registry that the settings name, to read; None where nothing was ever kept, and no store is made.

    MLflow is imported only where its store is no SQLite file, or one of another release.

    Raises
    ------
    ServiceUnavailableError
        If it is MLflow's, and its store cannot be reached.
    """
    file = sqlite_file(settings)
    if settings.registry.kind == "filesystem" or file is None:
        return open_registry(settings)
    if not file.exists():
        return None
    reader = SqliteReader(file, partial(open_registry, settings))
    return reader if reader.can_read() else open_registry(settings)
