"""Settings of the trading environment that agents are trained in."""

from typing import Literal

from pydantic import Field, field_validator

from MLOps.settings.stage_settings import Settings

SENTIMENT_COLUMNS = ("sentiment", "has_news")


class EnvironmentSettings(Settings):
    """A stock-trading account and what its agent sees."""

    engine: Literal["finrl"] = Field(description="Which implementation steps the market.")
    tickers: tuple[str, ...] | None = Field(min_length=1, description="Tickers to trade; empty means all of the data.")
    initial_amount: float = Field(gt=0, le=1e12, description="Cash at the start of an episode, in the quote currency.")
    max_shares_per_order: int = Field(ge=1, le=10**9, description="Shares that an action of 1 asks for (FinRL's hmax).")
    buy_cost_fraction: float = Field(ge=0, lt=1, description="Cost of a buy, as a fraction of its value.")
    sell_cost_fraction: float = Field(ge=0, lt=1, description="Cost of a sell, as a fraction of its value.")
    reward_scaling: float = Field(gt=0, le=1, description="Reward per unit of quote currency gained in a session.")
    turbulence_threshold: float | None = Field(
        gt=0, description="At or above this turbulence everything is sold and nothing bought; empty means never."
    )
    indicators: tuple[str, ...] = Field(description="Feature columns that the agent sees, in this order.")
    use_sentiment: bool = Field(description="Show the agent the columns sentiment and has_news too.")
    observation_limit: float = Field(
        ge=1, le=1000, description="Bound of the normalised observations, in standard deviations."
    )

    @field_validator("indicators", "tickers")
    @classmethod
    def _unique(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and len(set(names)) < len(names):
            raise ValueError("must not name anything twice")
        return names

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns of the features file that make the observation, in order."""
        return self.indicators + (SENTIMENT_COLUMNS if self.use_sentiment else ())
