"""The buy-timing model that the settings name: a folder, a registered version, or an alias."""

from dataclasses import dataclass
from pathlib import Path

from MLOps.artifacts import check_unaltered
from MLOps.errors import ModelError, RegistryError
from MLOps.inference.model_files import check_digest, model_digest
from MLOps.inference.timing_model import RainbowTimingCard, read_timing_card
from MLOps.settings.crypto_delivery import ExportCryptoModelSettings


@dataclass(frozen=True)
class ChosenTimingModel:
    """A trained model in a folder.

    Attributes
    ----------
    digest : str
        What the folder must have; of a registered model what was registered.
    version : str
        ``<name>/<version>`` in the registry, or ``folder``.
    """

    folder: Path
    digest: str
    version: str
    card: RainbowTimingCard

    @property
    def label(self) -> str:
        """``<SYMBOL>_<seed>``; of a model that tells no seed the start of its digest stands for it."""
        seed = self.card.provenance.get("seed")
        return f"{self.card.market.symbol}_{seed if type(seed) is int else self.digest[:8]}"


def choose_timing_model(settings: ExportCryptoModelSettings) -> ChosenTimingModel:
    """Find the model.

    Raises
    ------
    ModelError
        If there is no buy-timing model in the folder, or one without a network.
    RegistryError
        If the registry holds no such version or alias, or its champion has no passing verdict.
    DigestError
        If the files are not those that were made or registered.
    """
    if settings.model_path is not None:
        folder = settings.paths.workspace / settings.model_path
        card = _trained(folder, str(settings.model_path))
        check_unaltered(folder)
        return ChosenTimingModel(folder, model_digest(folder), "folder", card)
    from model_registry.champion import champion_version
    from model_registry.family import CRYPTO_TIMING
    from model_registry.open_registry import find_registry

    registry, name, alias = find_registry(settings), settings.registry.model_name, settings.model_alias
    if registry is None:
        raise RegistryError("no model was ever registered", "a registered model", "run train_rainbow, or --model_path")
    if settings.model_version is not None:
        version = registry.by_version(name, settings.model_version)
    elif alias == CRYPTO_TIMING.champion_alias:
        version = champion_version(registry, name, CRYPTO_TIMING)
    elif (found := registry.by_alias(name, alias)) is not None:
        version = found
    else:
        raise RegistryError(
            f"{name} has no {alias}", "an alias that the registry holds", "train_rainbow sets challenger"
        )
    folder = registry.fetch(version)
    check_digest(folder, version.digest)
    return ChosenTimingModel(folder, version.digest, f"{name}/{version.version}", _trained(folder, str(version)))


def _trained(folder: Path, label: str) -> RainbowTimingCard:
    card = read_timing_card(folder)
    if isinstance(card, RainbowTimingCard):
        return card
    raise ModelError(
        f"{label} is of the kind {card.kind}, which buys at the first step and has no network",
        "a trained model",
        "train_rainbow, then --model_alias challenger, or --model_path of what it made",
    )
