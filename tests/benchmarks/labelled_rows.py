"""Labelled sentences to fine-tune on, as the platform's own stage prepares them, and the base model."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from MLOps.sentiment.base_model import load_base_model, open_tokenizer
from MLOps.sentiment.batches import LabelledTokens
from MLOps.sentiment.training_data import labelled_tokens, read_splits
from MLOps.settings.compose import compose_settings
from MLOps.settings.project import project_root
from MLOps.settings.sentiment_dataset import SentimentDatasetSettings
from MLOps.settings.sentiment_model import TrainSentimentModelSettings
from MLOps.stage import MemoryTracker
from pipelines.finetuning.prepare_sentiment_dataset import prepare_sentiment_dataset

_BENCH = project_root() / ".bench"
_WORKSPACE = _BENCH / "sentiment"


class LabelledRows(NamedTuple):
    """Sentences to learn from and to be judged on; the test split of the data is in neither."""

    base: Path
    train: LabelledTokens
    validation: LabelledTokens


def read_labelled_rows(settings: TrainSentimentModelSettings, count: int) -> LabelledRows:
    """The first `count` sentences of the train split in random order, and the validation split.

    Raises
    ------
    SourceUnavailableError
        If an archive is not in ``.bench``, and no package index answers.
    """
    overrides = [f"paths.workspace={_WORKSPACE}"]
    dataset = compose_settings(SentimentDatasetSettings, "prepare_sentiment_dataset", overrides)
    made = prepare_sentiment_dataset(dataset, MemoryTracker())
    splits = read_splits(made.artifacts["sentences"].path)
    base = load_base_model(settings.base_model, _BENCH).folder
    tokenizer = open_tokenizer(base)

    def tokens(rows: pd.DataFrame) -> LabelledTokens:
        return labelled_tokens(rows, tokenizer, settings.training.max_tokens)

    return LabelledRows(base, tokens(splits["train"].sample(count, random_state=1)), tokens(splits["validation"]))
