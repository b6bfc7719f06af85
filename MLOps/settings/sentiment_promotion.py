"""Settings of the promotion of sentiment models."""

from pathlib import Path

from pydantic import Field

from MLOps.settings.backtest import BootstrapSettings
from MLOps.settings.score_news import ScoringEngineSettings
from MLOps.settings.sentiment_model import BaseModelSettings
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field


class SentimentGateSettings(Settings):
    """What a challenger must show on articles that it was not trained on; what is undecided passes no gate."""

    min_articles: int = Field(ge=2, le=1_000_000, description="Articles that must be left to judge on.")
    min_sentences: int = Field(ge=1, le=10_000_000, description="Sentences that must be left to judge on.")
    max_calibration_error: float = Field(
        gt=0, le=1, description="Largest expected distance of the confidence from the share that comes true."
    )
    min_macro_f1: float = Field(gt=0, le=1, description="Least macro-F1.")
    champion_margin: float = Field(
        ge=0, le=1, description="How far below the champion's macro-F1 the lower bound of the difference may lie."
    )


class SentimentPromotionSettings(StageSettings):
    """Settings of promote_sentiment_model."""

    labelled_path: Path = machine_field(
        "Labelled sentences, a Parquet file, relative to the workspace; its digest enters the identity."
    )
    model_alias: str = machine_field("Registry alias of the model to judge.", min_length=1)
    model_version: int | None = machine_field("Registry version to judge; empty takes the alias.", ge=1)
    base_model: BaseModelSettings = Field(description="The encoder that the model was trained on.")
    champion_base_model: BaseModelSettings = Field(
        description="The champion's encoder, where it was trained on another one than base_model."
    )
    engine: ScoringEngineSettings = Field(description="What computes an encoder.")
    gates: SentimentGateSettings = Field(description="Gates.")
    bootstrap: BootstrapSettings = Field(description="Resampling of articles for the bounds of differences.")
