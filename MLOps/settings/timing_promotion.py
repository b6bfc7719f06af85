"""Settings of the promotion of buy-timing models."""

from pathlib import Path

from pydantic import Field

from MLOps.settings.stage_settings import Settings, StageSettings, machine_field
from MLOps.settings.timing_evaluation import TimingConditions


class TimingGateSettings(Settings):
    """What a challenger must show; a figure that is undefined passes no gate."""

    min_periods: int = Field(
        ge=2, le=1_000_000, description="Periods, each as long as a cycle, that it must have been judged on."
    )
    min_edge_bps: float = Field(
        ge=0,
        le=10_000,
        description="Lower end, at once and filled late, of how much less it paid than first or last, is above this.",
    )
    champion_margin_bps: float = Field(
        ge=0, le=10_000, description="How much more than the champion it may have paid by that lower end."
    )


class TimingPromotionSettings(StageSettings):
    """Settings of promote_crypto_timing."""

    evaluation_path: Path = machine_field(
        "Folder that evaluate_crypto_timing made, below the workspace; its digests enter the identity."
    )
    bars_path: Path | None = machine_field(
        "Crypto bars that the evaluation ran on, below the workspace; empty means the newest; by digest."
    )
    model_alias: str = machine_field("Registry alias of the model to judge.", min_length=1)
    model_version: int | None = machine_field("Registry version to judge; empty takes the alias.", ge=1)
    gates: TimingGateSettings = Field(description="Gates.")
    evidence: TimingConditions = Field(description="Which evaluation counts, and the resampling of the bounds.")
