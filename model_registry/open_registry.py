"""Which store keeps the models; the one place that knows both."""

from experiment_tracking.mlflow_utils import has_store
from MLOps.settings.stage_settings import StageSettings
from model_registry.filesystem_registry import FilesystemRegistry
from model_registry.mlflow_registry import MlflowRegistry
from model_registry.registry import ModelRegistry


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


def find_registry(settings: StageSettings) -> ModelRegistry | None:
    """The registry that the settings name; None where nothing was ever kept, and no store is made.

    Raises
    ------
    ServiceUnavailableError
        If it is MLflow's, and its store cannot be reached.
    """
    return open_registry(settings) if settings.registry.kind == "filesystem" or has_store(settings) else None
