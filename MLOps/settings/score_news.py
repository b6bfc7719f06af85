"""Settings of the stage score_news."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from MLOps.settings.company_names import Company
from MLOps.settings.sentiment_model import BaseModelSettings
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]


class ReadingSettings(Settings):
    """Which sentences of an article are scored."""

    max_sentences: int = Field(ge=1, le=1_000, description="Sentences of an article, its title among them.")
    max_characters: int = Field(ge=100, le=10_000_000, description="Characters of a text; the rest is not read.")
    max_sentence_characters: int = Field(ge=20, le=10_000, description="Longer sentences are cut.")
    boilerplate_phrases: tuple[Pattern, ...] = Field(
        description="Regular expressions, case ignored, of what is cut out; the sentence ends there."
    )
    boilerplate_sentences: tuple[Pattern, ...] = Field(
        description="Regular expressions, case ignored; a sentence in which one is found is left out."
    )


class AggregationSettings(Settings):
    """How much each sentence counts in its article."""

    title_weight: float = Field(gt=0, le=100, description="Of the title; the body's first sentence has 1.")
    body_decay_fraction: float = Field(
        gt=0, le=1, description="Weight of a sentence of the body as a share of the one before it."
    )


class ScoringEngineSettings(Settings):
    """What computes the probabilities of a fine-tuned encoder."""

    kind: Literal["onnx", "onnx_int8", "torch"] = Field(
        description="ONNX Runtime with the weights as they are or as int8, or torch, the reference."
    )
    threads: int = machine_field("Sentences that are computed at the same time; torch computes one.", ge=1, le=64)


class ScoreNewsSettings(StageSettings):
    """Settings of score_news."""

    news_path: Path = machine_field("Parquet file of news; relative to the workspace.")
    model_folder: Path | None = machine_field("Model folder, relative to the workspace; empty takes the registry's.")
    model_version: int | None = machine_field("Registry version; empty takes the champion.", ge=1)
    base_model: BaseModelSettings = machine_field("The encoder under an adapter, whose card says its digest.")
    engine: ScoringEngineSettings = Field(description="What computes.")
    reading: ReadingSettings = Field(description="Which sentences are scored.")
    aggregation: AggregationSettings = Field(description="How sentences make an article's score.")
    companies: dict[str, Company] = Field(description="By which names the news call the companies.")
    chunk_articles: int = machine_field("Articles between two writes to the cache of scores.", ge=1, le=100_000)
