"""Settings of the evaluation of buy-timing models, and of the terms on which they are compared."""

from typing import Literal

from pydantic import Field

from MLOps.settings.backtest import BootstrapSettings
from MLOps.settings.stage_settings import Settings


class TimingBaselineSettings(Settings):
    """How the policies beside the model are drawn and fitted."""

    random_draws: int = Field(ge=1, le=10_000, description="Draws of a random step in each cycle; their mean counts.")
    random_seed: int = Field(ge=0, le=2**32 - 1, description="Seed of these draws.")
    threshold_relative_to: Literal["first_price", "window_mean"] = Field(
        description="What the price is divided by that the fitted thresholds look at."
    )


class TimingTerms(Settings):
    """The terms on which timing policies are compared."""

    fee_bps: float = Field(ge=0, lt=5_000, description="Fee of each purchase, in basis points of its price.")
    baselines: TimingBaselineSettings = Field(description="Policies to compare with.")
    bootstrap: BootstrapSettings = Field(description="Confidence intervals over cycles, and over seeds.")
    power_fraction: float = Field(
        gt=0.5, lt=1, description="Probability with which the smallest detectable difference would be found."
    )
