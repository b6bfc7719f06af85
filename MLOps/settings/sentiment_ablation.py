"""Settings of the stage run_sentiment_ablation."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from MLOps.settings.agent import AgentSettings
from MLOps.settings.backtest import EvaluationTerms
from MLOps.settings.environment import EnvironmentSettings, PlayWindow
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field

Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class AblationTrainingSettings(Settings):
    """How each of the agents is trained."""

    total_timesteps: int = Field(ge=1, description="Budget in sessions played; rounded up to a whole update.")
    random_starts: bool = Field(description="Begin each episode at a random session of the training window.")
    seeds: tuple[Seed, ...] = Field(
        min_length=2, max_length=1000, description="One pair of agents, with and without the news, for each seed."
    )
    threads: int = Field(ge=1, le=64, description="Threads of torch; sums in another order change the last bits.")

    @field_validator("seeds")
    @classmethod
    def _unique(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("must not name a seed twice: the second pair would tell nothing new")
        return seeds


class SentimentAblationSettings(StageSettings):
    """Settings of run_sentiment_ablation."""

    features_path: Path | None = machine_field("Features file; empty takes the workspace's; its digest is identity.")
    train: PlayWindow = Field(description="Dates that the agents learn from.")
    test: PlayWindow = Field(description="Dates that they are compared on.")
    environment: EnvironmentSettings = Field(description="Account and observation, the news columns included.")
    agent: AgentSettings = Field(description="Library, algorithm, network and hyperparameters.")
    training: AblationTrainingSettings = Field(description="Budget and seeds.")
    terms: EvaluationTerms = Field(description="Terms of the comparison, those of the backtest.")
    power_fraction: float = Field(
        gt=0.5, lt=1, description="Probability with which the smallest detectable difference would be found."
    )

    @model_validator(mode="after")
    def _news_are_shown(self) -> "SentimentAblationSettings":
        if not self.environment.use_sentiment:
            raise ValueError("environment.use_sentiment must be true: the news columns are what is compared")
        return self

    @model_validator(mode="after")
    def _test_comes_after_training(self) -> "SentimentAblationSettings":
        if self.train.last >= self.test.first:
            raise ValueError(f"test.first={self.test.first} must come after train.last={self.train.last}")
        return self
