"""Registered models of stock trading, loaded and ready to decide orders."""

from dataclasses import dataclass
from pathlib import Path

from MLOps.inference.policy import Policy, load_policy
from model_registry.champion import champion_version
from model_registry.family import STOCK_TRADING
from model_registry.registry import ModelRegistry, ModelVersion


@dataclass(frozen=True)
class LoadedModel:
    """A registered model, ready to decide orders."""

    version: ModelVersion
    folder: Path
    policy: Policy


def load_model(registry: ModelRegistry, version: ModelVersion) -> LoadedModel:
    """Fetch a version and load its policy, its digest checked before anything is parsed.

    Raises
    ------
    DigestError
        If the stored files are not those that were registered.
    ModelError
        If the card or the weights are malformed.
    """
    folder = registry.fetch(version)
    return LoadedModel(version, folder, load_policy(folder, version.digest))


def load_champion(registry: ModelRegistry, name: str) -> LoadedModel:
    """Load the champion of stock trading.

    Raises
    ------
    RegistryError
        If there is no champion, or the alias names a version without a passing verdict.
    """
    return load_model(registry, champion_version(registry, name, STOCK_TRADING))
