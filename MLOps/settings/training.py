"""Settings of the stage train_rl_agent."""

from pathlib import Path

from pydantic import Field, model_validator

from MLOps.settings.agent import AgentSettings
from MLOps.settings.environment import EnvironmentSettings
from MLOps.settings.splits import SplitSettings
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field


class TrainingSettings(Settings):
    """How long and how an agent is trained."""

    total_timesteps: int | None = Field(ge=1, description="Budget in sessions played; rounded up to a whole update.")
    total_episodes: int | None = Field(ge=1, description="Budget in passes over the training window.")
    random_starts: bool = Field(
        description="Where many accounts play at once, begin each episode at a random session of its window."
    )
    seed: int = Field(ge=0, le=2**32 - 1, description="Seed of every generator.")
    threads: int = Field(ge=1, le=64, description="Threads of torch; sums in another order change the last bits.")
    sessions_per_year: int = Field(ge=1, le=366, description="Sessions in a year, to annualise validation figures.")
    checkpoint_every_timesteps: int = machine_field("Sessions played between two checkpoints.", ge=1)
    resume: bool = machine_field("Continue from the checkpoint that an interrupted run of the same key left.")
    register_model: bool = machine_field("Register the model and point the alias challenger at it.")

    @model_validator(mode="after")
    def _one_budget(self) -> "TrainingSettings":
        if (self.total_timesteps is None) == (self.total_episodes is None):
            raise ValueError("give either total_timesteps or total_episodes, and null for the other")
        return self

    def budget_timesteps(self, sessions: int) -> int:
        """The budget in timesteps, an episode over `sessions` closes taking one less."""
        if self.total_timesteps is not None:
            return self.total_timesteps
        assert self.total_episodes is not None
        return self.total_episodes * (sessions - 1)


class TrainRlAgentSettings(StageSettings):
    """Settings of train_rl_agent."""

    features_path: Path | None = machine_field(
        "Features file, relative to the workspace; empty means processed_data_filename."
    )
    processed_data_filename: str = machine_field(
        "Name of a features file in data/processed, .parquet or .csv.", pattern=r"^[^/\\]+\.(parquet|csv)$"
    )
    output_model_dir: Path | None = machine_field(
        "Where models are written, relative to the workspace; empty means models/."
    )
    split: SplitSettings = Field(description="Train, validation and test windows.")
    environment: EnvironmentSettings = Field(description="The account and what the agent sees.")
    agent: AgentSettings = Field(description="Library, algorithm, network and hyperparameters.")
    training: TrainingSettings = Field(description="Budget, seed, checkpoints.")

    @model_validator(mode="after")
    def _elegantrl_knows_no_cut(self) -> "TrainRlAgentSettings":
        if self.agent.library == "elegantrl" and self.environment.episode_sessions is not None:
            raise ValueError(
                "environment.episode_sessions must be null: ElegantRL takes a cut episode for an ended one"
            )
        return self
