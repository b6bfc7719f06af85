"""Settings of the stage ablate_rainbow, and what each of its variants leaves out."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from MLOps.settings.rainbow import RainbowModelSettings, RainbowTrainingSettings
from MLOps.settings.stage_settings import StageSettings, machine_field
from MLOps.settings.timing import DcaTimingSettings, TimingDataSettings

Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Variant = Literal[
    "rainbow",
    "without_double",
    "without_dueling",
    "without_prioritized",
    "without_categorical",
    "without_noisy",
    "without_n_step",
    "dqn",
]
FULL: Variant = "rainbow"
"""The variant that all others are compared with."""

_OFF: dict[Variant, dict[str, bool | int]] = {
    "without_double": {"is_double": False},
    "without_dueling": {"is_dueling": False},
    "without_prioritized": {"is_prioritized": False},
    "without_categorical": {"is_categorical": False},
    "without_noisy": {"is_noisy": False},
    "without_n_step": {"n_steps": 1},
}
_ALL_OFF = {name: value for change in _OFF.values() for name, value in change.items()}


class AblateRainbowSettings(StageSettings):
    """Settings of ablate_rainbow."""

    bars_path: Path | None = machine_field(
        "Crypto bars, relative to the workspace; empty means the newest that ingest_crypto_bars made."
    )
    data: TimingDataSettings = Field(description="Which prices, their cycles and windows.")
    environment: DcaTimingSettings = Field(description="Costs and reward.")
    model: RainbowModelSettings = Field(description="The full agent; all of its parts are on.")
    training: RainbowTrainingSettings = Field(description="Budget of each training; its own seed is not taken, and 0.")
    variants: tuple[Variant, ...] = Field(min_length=1, description="What is compared with the full agent.")
    seeds: tuple[Seed, ...] = Field(
        min_length=2, max_length=1000, description="Each variant is trained once with each of them."
    )
    confidence_fraction: float = Field(
        gt=0.5, lt=1, description="Probability with which all intervals hold their true differences at once."
    )
    power_fraction: float = Field(
        gt=0.5, lt=1, description="Probability with which the smallest detectable difference would be found."
    )

    @field_validator("variants", "seeds")
    @classmethod
    def _unique(cls, named: tuple[str | int, ...]) -> tuple[str | int, ...]:
        if len(set(named)) < len(named):
            raise ValueError("must not name one twice: the second training would tell nothing new")
        return named

    @field_validator("variants")
    @classmethod
    def _full_goes_without_saying(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if FULL in variants:
            raise ValueError(f"must not name {FULL}: it is always trained, and the others are compared with it")
        return variants

    @model_validator(mode="after")
    def _all_parts_are_on(self) -> "AblateRainbowSettings":
        off = [name for name, value in _ALL_OFF.items() if getattr(self.model, name) == value]
        if off:
            told = ", ".join(f"model.{name}={getattr(self.model, name)}" for name in off)
            raise ValueError(f"{told}: what is off cannot be taken away")
        return self

    @model_validator(mode="after")
    def _training_has_no_seed_of_its_own(self) -> "AblateRainbowSettings":
        if self.training.seed != 0:  # it would enter the key, and change nothing else
            raise ValueError(f"training.seed={self.training.seed} must be 0: each training has one of `seeds`")
        return self

    @model_validator(mode="after")
    def _episodes_end(self) -> "AblateRainbowSettings":
        needed = self.training.n_envs * self.data.cycle_steps
        if self.training.num_frames < needed:
            raise ValueError(
                f"training.num_frames={self.training.num_frames} must be >= {needed} "
                "(training.n_envs x data.cycle_steps), so that episodes end"
            )
        return self

    @property
    def all_variants(self) -> tuple[Variant, ...]:
        """The full agent, then the others."""
        return FULL, *self.variants

    def model_of(self, variant: Variant) -> RainbowModelSettings:
        """The full agent's settings, less what the variant leaves out."""
        changes = _ALL_OFF if variant == "dqn" else _OFF.get(variant, {})
        return self.model.model_copy(update=changes)
