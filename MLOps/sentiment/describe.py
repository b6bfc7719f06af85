"""The card of a freshly trained sentiment model."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version

from MLOps.sentiment.base_model import BaseModel
from MLOps.sentiment.model_card import LoraClassifierCard, LoraRecord
from MLOps.sentiment.scorer import LABELS
from MLOps.sentiment.training_data import group_marks
from MLOps.settings.sentiment_model import TrainSentimentModelSettings
from MLOps.settings.stage_settings import fingerprint


def describe(
    settings: TrainSentimentModelSettings,
    base: BaseModel,
    temperature: float,
    groups: Iterable[str],
    labelled_sha256: str,
    figures: Mapping[str, float],
) -> LoraClassifierCard:
    """The card; the same settings, data and seed give the same one, so it holds no time, path or run id.

    Parameters
    ----------
    settings : TrainSentimentModelSettings
        What was asked for.
    base : BaseModel
        What was adapted.
    temperature : float
        Fitted on the validation split.
    groups : iterable of str
        Articles that were trained or tuned on.
    labelled_sha256 : str
        Digest of the labelled sentences.
    figures : mapping
        What the training came to.
    """
    return LoraClassifierCard(
        base_model=base.record,
        labels=LABELS,
        lora=LoraRecord(**settings.hyperparameters.lora.model_dump(exclude={"dropout"})),
        pooling=settings.hyperparameters.pooling,
        max_tokens=settings.training.max_tokens,
        temperature=temperature,
        training_groups=group_marks(groups),
        provenance={
            "seed": settings.training.seed,
            "labelled_sha256": labelled_sha256,
            "settings_sha256": fingerprint(settings),
            **{f"{package}_version": version(package) for package in ("peft", "torch", "transformers")},
            **figures,
        },
    )
