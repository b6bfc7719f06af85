"""Which model's inputs and actions are checked."""

from dataclasses import dataclass

from MLOps.errors import PlatformError
from MLOps.inference.model_files import model_digest
from MLOps.inference.policy import MlpActorPolicy, Policy, load_policy
from MLOps.settings.drift import DriftSettings
from model_registry.open_registry import find_registry


@dataclass(frozen=True)
class WatchedModel:
    """A trained model, or why it cannot be loaded.

    Attributes
    ----------
    label : str
        Name and version, or the folder's digest.
    digest : str
        Sha256 of the model; empty where it cannot be loaded.
    """

    label: str
    digest: str
    loaded: MlpActorPolicy | PlatformError

    def policy(self) -> MlpActorPolicy:
        """The policy; raises why it could not be loaded."""
        if isinstance(self.loaded, PlatformError):
            raise self.loaded
        return self.loaded


def find_model(settings: DriftSettings) -> WatchedModel | None:
    """The model that the settings name; None where the registry has none, or it has learned nothing.

    A policy that was not trained, as the equal-weight one, sees no observation, and its orders follow from its cash.
    """
    try:
        found = _find(settings)
    except PlatformError as error:
        return WatchedModel(label="model", digest="", loaded=error)
    if found is None:
        return None
    label, digest, policy = found
    return WatchedModel(label, digest, policy) if isinstance(policy, MlpActorPolicy) else None


def _find(settings: DriftSettings) -> tuple[str, str, Policy] | None:
    if settings.model_folder is not None:
        folder = settings.paths.workspace / settings.model_folder
        digest = model_digest(folder)
        return f"model {digest[:12]}", digest, load_policy(folder, digest)
    registry, name = find_registry(settings), settings.registry.model_name
    if registry is None:
        return None
    version = (
        registry.by_alias(name, settings.model_alias)
        if settings.model_version is None
        else registry.by_version(name, settings.model_version)
    )
    if version is None:
        return None
    return str(version), version.digest, load_policy(registry.fetch(version), version.digest)
