"""What models are judged on: sentences of the test split, of articles that none of them was trained on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from deployment.promotion.sentiment_contender import classes_of
from MLOps.evaluation.macro_f1 import confusion_counts, macro_f1
from MLOps.sentiment.model_card import group_digest
from MLOps.sentiment.scorer import LABELS, SentenceScorer

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """Sentences to judge on, and those that a model may know.

    Attributes
    ----------
    test : DataFrame
        K rows of the test split.
    known : DataFrame
        Rows of the train and validation splits; majority and thresholds come from them.
    left_out : int
        Articles of the test split that somebody was trained on.
    """

    test: pd.DataFrame
    known: pd.DataFrame
    left_out: int

    @property
    def texts(self) -> list[str]:
        """(K) sentences."""
        return list(self.test["text"])

    @property
    def labels(self) -> IntArray:
        """(K,) true classes."""
        return self.test["label"].to_numpy(np.int64)

    @property
    def articles(self) -> list[str]:
        """(K) the article of each sentence."""
        return list(self.test["group"])

    @property
    def training_labels(self) -> IntArray:
        """Classes of the train split."""
        return self.known.loc[self.known["split"] == "train", "label"].to_numpy(np.int64)

    @property
    def last_date(self) -> date | None:
        """Day (UTC) of the newest article; None where none is dated."""
        newest = self.test["published_at"].max()
        return None if pd.isna(newest) else newest.date()

    def classes_by(self, scorer: SentenceScorer) -> IntArray:
        """(K,) classes that a scorer gives the sentences."""
        return classes_of(scorer, self.texts, list(self.known["text"]), self.known["label"].to_numpy(np.int64))

    def macro_f1(self, predicted: IntArray) -> float:
        """Macro-F1 of classes (K,)."""
        return float(macro_f1(confusion_counts(self.labels, predicted, len(LABELS))))


def hold_out(splits: Mapping[str, pd.DataFrame], training_groups: Collection[str]) -> HeldOut:
    """Part labelled sentences into those to judge on and those that a model may know.

    Parameters
    ----------
    splits : mapping of str to DataFrame
        Labelled sentences by split, see MLOps/sentiment/labelled.py.
    training_groups : collection of str
        Digests of articles that a contender was trained or tuned on, whatever their split is today.
    """
    test = splits["test"]
    trained_on = {article for article in test["group"].unique() if group_digest(article) in training_groups}
    known = pd.concat([splits["train"], splits["validation"]])
    return HeldOut(test[~test["group"].isin(trained_on)], known, len(trained_on))
