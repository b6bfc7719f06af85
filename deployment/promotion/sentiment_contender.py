"""A sentiment model that competes: opened from its folder, with the articles that it knows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MLOps.inference.model_files import check_digest
from MLOps.sentiment.find_base_model import find_base_model
from MLOps.sentiment.lexicons import LoughranMcDonaldScorer, VaderScorer
from MLOps.sentiment.model_card import LoraClassifierCard, read_sentiment_card
from MLOps.sentiment.open_scorer import open_scorer
from MLOps.sentiment.scorer import SentenceScorer
from MLOps.sentiment.thresholds import fit_thresholds
from MLOps.settings.score_news import ScoringEngineSettings
from MLOps.settings.sentiment_model import BaseModelSettings

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Contender:
    """A scorer, and the articles that it was trained or tuned on.

    Attributes
    ----------
    scorer : SentenceScorer
    training_groups : frozenset of str
        As a card names articles: `MLOps.sentiment.model_card.group_digest`.
    """

    scorer: SentenceScorer
    training_groups: frozenset[str] = field(default_factory=frozenset)


def open_contender(
    folder: Path, digest: str, encoders: Sequence[BaseModelSettings], engine: ScoringEngineSettings, cache: Path
) -> Contender:
    """The model of a folder.

    Parameters
    ----------
    folder : Path
        Fetched from the registry.
    digest : str
        What the registry says that its digest is; checked before anything is parsed.
    encoders : sequence of BaseModelSettings
        Base models that the settings name; the one that an adapter was trained on is found, see `find_base_model`.
    engine : ScoringEngineSettings
        What computes an encoder.
    cache : Path
        Where base models and graphs are kept.

    Raises
    ------
    DigestError
        If the folder is not what the digest promises.
    ModelError
        If it holds no sentiment model, a malformed one, or one of another base model or other classes.
    SourceUnavailableError
        If the base model must be fetched and cannot be.
    """
    check_digest(folder, digest)
    card = read_sentiment_card(folder)
    if not isinstance(card, LoraClassifierCard):
        return Contender(VaderScorer(card))

    def base_folder() -> Path:
        return find_base_model(card.base_model, encoders, cache).folder

    scorer = open_scorer(folder, digest, base_folder, cache, engine)
    return Contender(scorer, frozenset(card.training_groups))


def classes_of(
    scorer: SentenceScorer, sentences: Sequence[str], known: Sequence[str], known_labels: IntArray
) -> IntArray:
    """(K,) the class that a scorer gives each sentence: the likeliest one.

    A lexicon's probabilities are no frequencies: its class comes from thresholds, which are fitted to
    the sentences `known`, those that a model may be trained and tuned on.
    """
    if isinstance(scorer, VaderScorer | LoughranMcDonaldScorer):
        return fit_thresholds(scorer.scores(known), known_labels).classes(scorer.scores(sentences))
    return np.asarray(scorer.probabilities(sentences).argmax(axis=1))
