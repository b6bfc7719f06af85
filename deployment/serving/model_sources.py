"""Where the served model comes from: a folder, or the registry's champion."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from deployment.serving.delivery import is_delivery, load_delivery
from deployment.serving.model_slot import Candidate, ModelSource
from deployment.serving.served_model import Origin, ServedModel, load_served_model
from MLOps.artifacts import check_unaltered, sha256_of
from MLOps.errors import ModelError, RegistryError
from MLOps.inference.delivery_sums import NETWORK_FILE
from MLOps.inference.model_files import model_digest
from MLOps.settings.stage_settings import StageSettings
from model_registry.champion import champion_version
from model_registry.family import CRYPTO_TIMING
from model_registry.open_registry import find_registry


class FolderSource:
    """One folder, which stays the same.

    Parameters
    ----------
    folder : Path
        A model folder (``model.json`` and, for a trained model, ``policy.safetensors``), or a delivery of
        export_crypto_model.
    threads : int
        Of one call.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder, self._threads = folder, threads

    def wanted(self) -> Candidate:
        """The folder's model; its digest is what lies there now.

        Raises
        ------
        DigestError
            If a stage made the folder, and its files are no longer what it made.
        DataError
            If it holds no model.
        """
        origin = Origin(self._folder.resolve().name)
        if is_delivery(self._folder):
            digest = sha256_of(self._folder / NETWORK_FILE)
            return Candidate(digest, None, partial(load_delivery, self._folder, origin, self._threads))
        check_unaltered(self._folder)
        digest = model_digest(self._folder)
        return Candidate(digest, None, partial(load_served_model, self._folder, digest, origin, self._threads))


class ChampionSource:
    """The version that the champion's alias names by right, whichever that is at the time."""

    def __init__(self, settings: StageSettings, threads: int) -> None:
        self._settings, self._threads = settings, threads

    def wanted(self) -> Candidate:
        """The champion.

        Raises
        ------
        RegistryError
            If there is none, or the alias names a version without a passing verdict.
        DigestError
            If the registry's files are not those that were registered.
        ServiceUnavailableError
            If the registry cannot be reached.
        """
        family, name = CRYPTO_TIMING, self._settings.registry.model_name
        registry = find_registry(self._settings)
        if registry is None:
            raise RegistryError(
                f"nothing was ever registered, so {name} has no {family.champion_alias}",
                "a registered champion",
                f"run {family.promotion}, or name a folder with --model_path",
            )
        version = champion_version(registry, name, family)
        origin = Origin(name, version.version, family.champion_alias, version.registered_at)

        def load() -> ServedModel:
            return load_served_model(registry.fetch(version), version.digest, origin, self._threads)

        return Candidate(version.digest, version.version, load)


class CoinSource:
    """Another source, whose models must be of one coin; the baseline, which knows none, may come too.

    Parameters
    ----------
    source : ModelSource
        Where models come from.
    symbol : str
        The coin.
    """

    def __init__(self, source: ModelSource, symbol: str) -> None:
        self._source, self._symbol = source, symbol

    def wanted(self) -> Candidate:
        """The source's model; `load` raises ModelError if it is of another coin."""
        candidate = self._source.wanted()

        def load() -> ServedModel:
            model = candidate.load()
            if model.info.symbol not in {None, self._symbol}:
                raise ModelError(
                    f"the model decides on {model.info.symbol}, asked for is {self._symbol}",
                    f"a model of {self._symbol}",
                    "--crypto, that is symbol, or --model_path",
                )
            return model

        return replace(candidate, load=load)
