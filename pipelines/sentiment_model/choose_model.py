"""The sentiment model that the settings name: a folder, a registered version, or the champion."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MLOps.inference.model_files import model_digest
from MLOps.sentiment.model_card import LoraClassifierCard, VaderCard, read_sentiment_card
from MLOps.sentiment.open_scorer import open_scorer
from MLOps.sentiment.scorer import SentenceScorer
from MLOps.settings.score_news import ScoreNewsSettings

if TYPE_CHECKING:
    from model_registry.registry import ModelVersion, RegistryReader


@dataclass(frozen=True)
class ChosenModel:
    """A sentiment model in a folder.

    Attributes
    ----------
    folder : Path or None
        Holds it; None for the installed VADER, which no folder holds.
    digest : str
        What it must have; of a registered one what was registered.
    version : str
        ``<name>/<version>`` in the registry, ``folder``, or ``installed``.
    card : LoraClassifierCard or VaderCard
        What it is.
    """

    folder: Path | None
    digest: str
    version: str
    card: LoraClassifierCard | VaderCard

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of its scores must know."""
        return self.card.base_model.warnings if isinstance(self.card, LoraClassifierCard) else ()

    def open(self, settings: ScoreNewsSettings) -> SentenceScorer:
        """The model, ready to score; raises as `open_scorer` and `load_base_model` do."""
        if self.folder is None:
            from MLOps.sentiment.lexicons import VaderScorer

            return VaderScorer()

        def base_folder() -> Path:
            from MLOps.sentiment.find_base_model import find_base_model

            assert isinstance(self.card, LoraClassifierCard), "a lexicon has no encoder"
            return find_base_model(self.card.base_model, [settings.base_model], settings.paths.cache).folder

        return open_scorer(self.folder, self.digest, base_folder, settings.paths.cache, settings.engine)


def choose_model(settings: ScoreNewsSettings) -> ChosenModel:
    """Find the model.

    Raises
    ------
    ModelError
        If there is no sentiment model in the folder.
    RegistryError
        If the registry holds no such version, or its champion has no passing verdict.
    DigestError
        If the registry's files are not those that were registered.
    """
    if settings.model_folder is not None:
        return _of_folder(settings.paths.workspace / settings.model_folder)
    from model_registry.champion import ensure_champion
    from model_registry.family import SENTIMENT
    from model_registry.open_registry import open_registry

    registry, name = open_registry(settings), settings.registry.model_name
    if settings.model_version is not None:
        return _registered(registry, registry.by_version(name, settings.model_version))
    return _registered(registry, ensure_champion(registry, name, SENTIMENT))


def choose_unrecorded(settings: ScoreNewsSettings) -> ChosenModel:
    """Find the model as `choose_model` does, but register nothing and make no store.

    Where there is no champion yet, it is the installed VADER, which the stage would register as the first one.
    """
    if settings.model_folder is not None:
        return _of_folder(settings.paths.workspace / settings.model_folder)
    from model_registry.champion import find_champion
    from model_registry.family import SENTIMENT
    from model_registry.open_registry import find_registry
    from model_registry.registry import unknown_version

    registry, name, number = find_registry(settings), settings.registry.model_name, settings.model_version
    if registry is None:
        if number is not None:
            raise unknown_version(name, number)
        return _installed_vader()
    version = find_champion(registry, name, SENTIMENT) if number is None else registry.by_version(name, number)
    return _registered(registry, version) if version else _installed_vader()


def _installed_vader() -> ChosenModel:
    from MLOps.sentiment.lexicons import write_vader

    with tempfile.TemporaryDirectory() as folder:
        digest = write_vader(Path(folder))
        return ChosenModel(None, digest, "installed", read_sentiment_card(Path(folder)))


def _of_folder(folder: Path) -> ChosenModel:
    card = read_sentiment_card(folder)
    return ChosenModel(folder, model_digest(folder), "folder", card)


def _registered(registry: "RegistryReader", version: "ModelVersion") -> ChosenModel:
    folder = registry.fetch(version)
    return ChosenModel(folder, version.digest, f"{version.name}/{version.version}", read_sentiment_card(folder))
