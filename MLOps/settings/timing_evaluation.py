"""Settings of the evaluation of buy-timing models, and the conditions on which they are compared."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from MLOps.settings.backtest import BootstrapSettings
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field
from MLOps.settings.timing import DcaTimingSettings, TimingDataSettings


class TimingBaselineSettings(Settings):
    """How the policies beside the model are drawn and fitted."""

    random_draws: int = Field(ge=1, le=10_000, description="Draws of a random step in each cycle; their mean counts.")
    random_seed: int = Field(ge=0, le=2**32 - 1, description="Seed of these draws.")
    threshold_relative_to: Literal["first_price", "window_mean"] = Field(
        description="What the price is divided by that the fitted thresholds look at."
    )


class TimingTerms(Settings):
    """The terms on which timing policies are compared."""

    baselines: TimingBaselineSettings = Field(description="Policies to compare with.")
    bootstrap: BootstrapSettings = Field(description="Confidence intervals over periods, and over seeds.")
    power_fraction: float = Field(
        gt=0.5, lt=1, description="Probability with which the smallest detectable difference would be found."
    )


class TimingConditions(Settings):
    """All that decides what a comparison of timing policies finds, but the bars and the policies."""

    data: TimingDataSettings = Field(description="Which prices, their cycles and windows.")
    environment: DcaTimingSettings = Field(description="The fee; the reward decides nothing here.")
    terms: TimingTerms = Field(description="Baselines and intervals.")


class TimingEvaluationSettings(StageSettings):
    """Settings of evaluate_crypto_timing."""

    bars_path: Path | None = machine_field(
        "Crypto bars, relative to the workspace; empty means the newest that ingest_crypto_bars made."
    )
    model_path: Path | None = machine_field("Model folder to judge; empty takes the model from the registry.")
    model_alias: str = machine_field("Registry alias to judge where neither path nor version is given.", min_length=1)
    model_version: int | None = machine_field("Registry version to judge; empty takes the alias.", ge=1)
    learning_curve_path: Path | None = machine_field(
        "How the training went, for the report; empty takes the file beside the model, where there is one."
    )
    seed_paths: tuple[Path, ...] = machine_field(
        "Folders of models that differ from the judged one in their seed alone, for the spread over seeds."
    )
    compare_with_champion: bool = Field(description="Let the registry's champion buy beside the model.")
    data: TimingDataSettings = Field(description="Which prices, their cycles and windows.")
    environment: DcaTimingSettings = Field(description="The fee; the reward decides nothing here.")
    terms: TimingTerms = Field(description="Baselines and intervals.")

    @property
    def conditions(self) -> TimingConditions:
        """What is compared on, as one."""
        return TimingConditions(data=self.data, environment=self.environment, terms=self.terms)
