"""Settings of the backtest."""

from datetime import date
from pathlib import Path

from pydantic import Field, model_validator

from MLOps.settings.environment import ImpactBps
from MLOps.settings.splits import SplitSettings
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field

_BPS_A_UNIT = 10_000


class AccountSettings(Settings):
    """The account that every strategy starts from, and the terms it trades on."""

    starting_cash: float = Field(gt=0, le=1e12, description="Cash at the first close, in the currency of the prices.")
    buy_cost_bps: float = Field(ge=0, lt=10_000, description="Cost of a buy, in basis points of its value.")
    sell_cost_bps: float = Field(ge=0, lt=10_000, description="Cost of a sell, in basis points of its value.")
    execution_lag_sessions: int = Field(
        ge=0,
        le=20,
        description="Sessions from decision to fill; 0 fills at the close decided on, as FinRL does.",
    )
    allow_fractional_shares: bool = Field(description="Trade parts of a share; otherwise orders are cut to whole ones.")
    slippage_bps: ImpactBps = Field(description="How much worse than the close every fill is, in basis points.")
    linear_impact_bps: ImpactBps = Field(
        description="How much worse a fill as large as the session's volume is, growing with the participation."
    )
    root_impact_bps: ImpactBps = Field(description="The same, growing with the square root of the participation.")

    @model_validator(mode="after")
    def _fills_are_paid_for(self) -> "AccountSettings":
        if self.slippage_bps + self.linear_impact_bps + self.root_impact_bps >= _BPS_A_UNIT:
            raise ValueError(f"slippage_bps, linear_impact_bps and root_impact_bps must sum to less than {_BPS_A_UNIT}")
        return self


class BaselineSettings(Settings):
    """How the strategies beside the model are fitted and drawn."""

    lookback_sessions: int = Field(ge=20, le=5_000, description="Past sessions that a portfolio is fitted on.")
    refit_sessions: int = Field(
        ge=0, le=5_000, description="Sessions between two fits; 0 fits once, before the window, and then holds."
    )
    random_paths: int = Field(ge=1, le=999, description="Random strategies with the model's turnover; odd is best.")
    random_seed: int = Field(ge=0, le=2**32 - 1, description="Seed of the random strategies.")


class BootstrapSettings(Settings):
    """Resampling for the confidence interval of a difference."""

    resamples: int = Field(ge=100, le=100_000, description="Number of resamples.")
    confidence_fraction: float = Field(gt=0.5, lt=1, description="Coverage of the two-sided interval.")
    seed: int = Field(ge=0, le=2**32 - 1, description="Seed of the resampling.")


class WindowSettings(Settings):
    """Dates to trade; the test split where both are empty."""

    first_date: date | None = Field(description="First date, YYYY-MM-DD; empty means the start of the test split.")
    last_date: date | None = Field(description="Last date, YYYY-MM-DD; empty means the end of the data.")


class EvaluationTerms(Settings):
    """The terms on which a model is compared with another."""

    account: AccountSettings = Field(description="Cash, costs and execution.")
    sessions_per_year: int = Field(ge=1, le=366, description="Sessions in a year, to annualise figures.")
    bootstrap: BootstrapSettings = Field(description="Confidence intervals.")


class BacktestTerms(EvaluationTerms):
    """The terms of a backtest, its baselines included."""

    baselines: BaselineSettings = Field(description="Strategies to compare with.")


class BacktestSettings(StageSettings):
    """Settings of run_backtest."""

    features_path: Path | None = machine_field("Features file; empty takes the workspace's; its digest is identity.")
    model_path: Path | None = machine_field("Model folder to test; empty takes the model from the registry.")
    model_alias: str = machine_field("Registry alias to test where neither path nor version is given.", min_length=1)
    model_version: int | None = machine_field("Registry version to test; empty takes the alias.", ge=1)
    compare_with_champion: bool = Field(description="Run the registry's champion beside the model.")
    split: SplitSettings = Field(description="The split that training used.")
    window: WindowSettings = Field(description="Dates to trade.")
    terms: BacktestTerms = Field(description="Terms of the comparison.")
