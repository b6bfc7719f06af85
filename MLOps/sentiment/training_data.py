"""What a classifier learns from: labelled sentences by split, checked for what no training can do without."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from MLOps.errors import DataError
from MLOps.sentiment.batches import LabelledTokens, tokenize
from MLOps.sentiment.labelled import SPLITS, read_labelled
from MLOps.sentiment.model_card import group_digest
from MLOps.sentiment.scorer import LABELS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MEND = "run pipelines/finetuning/prepare_sentiment_dataset.py with other data or another split"


def read_splits(path: Path) -> dict[str, pd.DataFrame]:
    """The sentences of a labelled file by split: train, validation and test.

    Raises
    ------
    DataError
        If there is no such file, a label is none of the classes, a split is empty, an article lies in
        two splits, or the train split lacks a class.
    """
    sentences = read_labelled(path)
    if unknown := sorted(set(sentences["label"]) - set(range(len(LABELS)))):
        raise DataError(f"{path} holds the label {unknown[0]}", f"0 to {len(LABELS) - 1} ({', '.join(LABELS)})", _MEND)
    splits = {name: sentences[sentences["split"] == name] for name in SPLITS}
    if empty := [name for name, rows in splits.items() if rows.empty]:
        raise DataError(f"{path} has no sentence in the split {', '.join(empty)}", "sentences in each split", _MEND)
    torn = sentences.groupby("group")["split"].nunique() > 1
    if torn.any():
        raise DataError(f"{path}: {torn.idxmax()} lies in more than one split", "each article in one split", _MEND)
    if lacking := [name for code, name in enumerate(LABELS) if code not in set(splits["train"]["label"])]:
        raise DataError(f"{path}: the train split has no {', '.join(lacking)} sentence", "some of each class", _MEND)
    return splits


def labelled_tokens(sentences: pd.DataFrame, tokenizer: "PreTrainedTokenizerBase", max_tokens: int) -> LabelledTokens:
    """The sentences tokenised, with their classes."""
    tokens = tokenize(tokenizer, sentences["text"].tolist(), max_tokens)
    return LabelledTokens(tokens, sentences["label"].to_numpy(np.int64))


def group_marks(groups: Iterable[str]) -> tuple[str, ...]:
    """What a card keeps of the articles: the first 16 hexadecimal digits of each one's sha256, sorted."""
    return tuple(sorted(group_digest(group) for group in set(groups)))
