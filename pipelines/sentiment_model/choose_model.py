"""The sentiment model that the settings name: a folder, a registered version, or the champion."""

from dataclasses import dataclass
from pathlib import Path

from MLOps.inference.model_files import model_digest
from MLOps.sentiment.model_card import LoraClassifierCard, VaderCard, read_sentiment_card
from MLOps.sentiment.open_scorer import open_scorer
from MLOps.sentiment.scorer import SentenceScorer
from MLOps.settings.score_news import ScoreNewsSettings


@dataclass(frozen=True)
class ChosenModel:
    """A sentiment model in a folder.

    Attributes
    ----------
    folder : Path
        Holds it.
    digest : str
        What it must have; of a registered one what was registered.
    version : str
        ``<name>/<version>`` in the registry, or ``folder``.
    card : LoraClassifierCard or VaderCard
        What it is.
    """

    folder: Path
    digest: str
    version: str
    card: LoraClassifierCard | VaderCard

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of its scores must know."""
        return self.card.base_model.warnings if isinstance(self.card, LoraClassifierCard) else ()

    def open(self, settings: ScoreNewsSettings) -> SentenceScorer:
        """The model, ready to score; raises as `open_scorer` and `load_base_model` do."""

        def base_folder() -> Path:
            from MLOps.sentiment.base_model import load_base_model

            return load_base_model(settings.base_model, settings.paths.cache).folder

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
        folder = settings.paths.workspace / settings.model_folder
        card = read_sentiment_card(folder)
        return ChosenModel(folder, model_digest(folder), "folder", card)
    from model_registry.champion import ensure_champion
    from model_registry.family import SENTIMENT
    from model_registry.open_registry import open_registry

    registry, name = open_registry(settings), settings.registry.model_name
    if settings.model_version is not None:
        version = registry.by_version(name, settings.model_version)
    else:
        version = ensure_champion(registry, name, SENTIMENT)
    folder = registry.fetch(version)
    return ChosenModel(folder, version.digest, f"{name}/{version.version}", read_sentiment_card(folder))
