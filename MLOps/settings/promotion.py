"""Settings of the promotion."""

from pathlib import Path

from pydantic import Field

from MLOps.settings.backtest import EvaluationTerms
from MLOps.settings.splits import SplitSettings
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field


class GateSettings(Settings):
    """What a challenger must show; a figure that is undefined passes no gate."""

    max_drawdown_fraction: float = Field(gt=0, le=1, description="Deepest fall of the wealth from its peak.")
    max_turnover_per_year: float = Field(
        gt=0, description="Shares bought and sold, as a multiple of the wealth a year."
    )
    min_annual_return_difference: float = Field(
        ge=-1, le=1, description="Least difference to the champion's compound yearly return, as a fraction."
    )
    sharpe_margin: float = Field(
        ge=0, le=5, description="How far below the champion's annual Sharpe ratio the lower bound may lie (delta)."
    )
    forward_pass_cash: float = Field(
        gt=0, le=1e12, description="Cash of the account that the forward pass starts from."
    )


class EvidenceSettings(Settings):
    """What a backtest must have been to count: another one may tell much, but it promotes nobody."""

    terms: EvaluationTerms = Field(description="Account and year that the backtest had; resampling of the bound.")
    split: SplitSettings = Field(description="The backtest's window is the last test_sessions of the features.")


class PromotionSettings(StageSettings):
    """Settings of promote_to_paper."""

    backtest_path: Path = machine_field(
        "Folder that run_backtest made, below the workspace; its digests enter the identity."
    )
    features_path: Path = machine_field("Features that the backtest ran on, below the workspace; by digest.")
    model_alias: str = machine_field("Registry alias of the model to judge.", min_length=1)
    model_version: int | None = machine_field("Registry version to judge; empty takes the alias.", ge=1)
    gates: GateSettings = Field(description="Gates.")
    evidence: EvidenceSettings = Field(description="Which backtest counts.")
