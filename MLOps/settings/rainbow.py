"""Settings of the buy-timing agent and its training."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from MLOps.settings.stage_settings import Settings, StageSettings, machine_field
from MLOps.settings.timing import DcaTimingSettings, TimingDataSettings

Units = Annotated[int, Field(ge=1, le=4096)]


class RainbowModelSettings(Settings):
    """The agent's network, and which of Rainbow's six parts are switched on (Hessel et al., 2018)."""

    is_double: bool = Field(description="Let the online network choose the next action, the target network judge it.")
    is_dueling: bool = Field(description="Streams of their own for the state's value and the actions' advantages.")
    is_prioritized: bool = Field(description="Replay transitions in proportion to how wrong they were foretold.")
    is_categorical: bool = Field(description="Learn the distribution of the return over atoms (C51), not its mean.")
    is_noisy: bool = Field(description="Explore by learned noise in the weights, not by random actions.")
    n_steps: int = Field(ge=1, le=100, description="Rewards that are summed before the next value is asked; 1 is DQN.")
    hidden_sizes: tuple[Units, ...] = Field(min_length=1, max_length=8, description="Units of the trunk's layers.")
    stream_size: Units = Field(description="Units of the hidden layer of each stream.")
    atoms: int = Field(ge=2, le=1001, description="Atoms of the return's distribution.")
    v_min: float | None = Field(
        description="Lowest return that an atom stands for, in units of the reward; empty: as the train window has it."
    )
    v_max: float | None = Field(description="Highest one, likewise.")
    noisy_sigma: float = Field(gt=0, le=10, description="First size of the noise, over the root of a layer's inputs.")

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> "RainbowModelSettings":
        if (self.v_min is None) != (self.v_max is None):
            raise ValueError("give both v_min and v_max, or null for both")
        if self.v_min is not None and self.v_max is not None and self.v_min >= self.v_max:
            raise ValueError(f"v_min={self.v_min} must be below v_max={self.v_max}")
        return self

    @property
    def support(self) -> tuple[float, float]:
        """Lowest and highest return that an atom stands for."""
        assert self.v_min is not None, "known before a network is made"
        assert self.v_max is not None
        return self.v_min, self.v_max

    @property
    def returned_atoms(self) -> int:
        """Numbers that the network gives for an action: the atoms, or its value alone."""
        return self.atoms if self.is_categorical else 1


class RainbowTrainingSettings(Settings):
    """How long and how the agent is trained."""

    num_frames: int = Field(ge=1, le=10**9, description="Decisions played in all; rounded up to a whole round.")
    n_envs: int = Field(ge=1, le=65_536, description="Cycles that are played at once; a round is one decision in each.")
    frames_per_update: float = Field(gt=0, le=10**6, description="Decisions played for each gradient step.")
    learning_starts: int = Field(ge=1, le=10**8, description="Decisions played before the first gradient step.")
    batch_size: int = Field(ge=1, le=65_536, description="Transitions in a gradient step.")
    learning_rate: float = Field(gt=0, le=1, description="Step size of Adam.")
    adam_epsilon: float = Field(gt=0, le=1, description="Adam's epsilon.")
    max_grad_norm: float = Field(gt=0, description="Gradients are clipped to this norm.")
    discount: float = Field(ge=0, le=1, description="Discount of a reward one decision later.")
    replay_capacity: int = Field(ge=2, le=10**8, description="Transitions that the replay holds.")
    priority_exponent: float = Field(ge=0, le=1, description="0 replays all alike, 1 in proportion to the priority.")
    importance_exponent: float = Field(
        ge=0, le=1, description="How far weights undo the choice by priority at the start; rises to 1 at the end."
    )
    target_update_every: int = Field(ge=1, description="Gradient steps between two copies to the target network.")
    epsilon_start: float = Field(ge=0, le=1, description="Share of random actions at the start, where none is noisy.")
    epsilon_end: float = Field(ge=0, le=1, description="Share of random actions at the end of the descent.")
    epsilon_fraction: float = Field(gt=0, le=1, description="Share of num_frames over which it descends.")
    evaluate_every_frames: int = Field(ge=1, description="Decisions between two looks at the validation cycles.")
    patience_evaluations: int = Field(ge=1, description="Stop after so many looks without a better one.")
    seed: int = Field(ge=0, le=2**32 - 1, description="Seed of every generator.")
    threads: int = Field(ge=1, le=64, description="Threads of torch; sums in another order change the last bits.")
    use_lightning: bool = machine_field("Let PyTorch Lightning run the loop; the plain loop gives the same numbers.")
    report_every_frames: int = machine_field("Decisions between two points of the curves.", ge=1)
    checkpoint_every_frames: int = machine_field("Decisions between two checkpoints.", ge=1)
    resume: bool = machine_field("Continue from the checkpoint that an interrupted run of the same key left.")
    register_model: bool = machine_field("Register the model and point the alias challenger at it.")

    @model_validator(mode="after")
    def _fits(self) -> "RainbowTrainingSettings":
        if self.epsilon_end > self.epsilon_start:
            raise ValueError(f"epsilon_end={self.epsilon_end} must be <= epsilon_start={self.epsilon_start}")
        if self.batch_size > self.replay_capacity:
            raise ValueError(f"batch_size={self.batch_size} must be <= replay_capacity={self.replay_capacity}")
        return self


class TrainRainbowSettings(StageSettings):
    """Settings of train_rainbow."""

    bars_path: Path | None = machine_field(
        "Crypto bars, relative to the workspace; empty means the newest that ingest_crypto_bars made."
    )
    output_model_dir: Path = machine_field("Where models are written; relative to the workspace.")
    data: TimingDataSettings = Field(description="Which prices, their cycles and windows.")
    environment: DcaTimingSettings = Field(description="Costs and reward.")
    model: RainbowModelSettings = Field(description="Network and switches.")
    training: RainbowTrainingSettings = Field(description="Budget, seed, replay, checkpoints.")
