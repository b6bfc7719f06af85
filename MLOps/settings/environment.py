"""Settings of the trading environment that agents are trained in."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from MLOps.settings.stage_settings import Settings

SENTIMENT_COLUMNS = ("sentiment", "has_news", "ticker_sentiment", "ticker_has_news")
_BPS_A_UNIT = 10_000

CostFraction = Annotated[float, Field(ge=0, lt=1)]
Costs = CostFraction | dict[str, CostFraction]
ImpactBps = Annotated[float, Field(ge=0, lt=5_000)]
Tickers = Annotated[tuple[str, ...], Field(min_length=1)]


class PlayWindow(Settings):
    """A part of the training window."""

    first: date = Field(description="First date, YYYY-MM-DD.")
    last: date = Field(description="Last date, YYYY-MM-DD.")

    @model_validator(mode="after")
    def _in_order(self) -> "PlayWindow":
        if self.first > self.last:
            raise ValueError(f"first={self.first} must not come after last={self.last}")
        return self


class EnvironmentSettings(Settings):
    """A stock-trading account and what its agent sees."""

    engine: Literal["batched", "finrl"] = Field(description="Which implementation steps the market.")
    finrl_compatible: bool = Field(description="Copy FinRL's faults (MLOps/environments/stock_trading.py), to compare.")
    tickers: Tickers | None = Field(description="Tickers that the model trades; empty means all of the data.")
    baskets: tuple[Tickers, ...] | None = Field(
        min_length=1, description="Tickers to train on, one list an account in turn; empty means `tickers` for all."
    )
    windows: tuple[PlayWindow, ...] | None = Field(
        min_length=1, description="Dates to train on, one window an account in turn; empty means all of training."
    )
    random_start: bool = Field(description="Begin each episode at a random session of the window.")
    episode_sessions: int | None = Field(
        ge=2, description="Steps of an episode at most; empty means to the window's end."
    )
    initial_amount: float = Field(gt=0, le=1e12, description="Cash at the start of an episode, in the quote currency.")
    initial_shares: dict[str, Annotated[float, Field(ge=0, le=1e9)]] = Field(
        description="Shares held at the start of an episode, by ticker; none of those not named."
    )
    actions: Literal["share_orders", "target_weights"] = Field(description="What an action means.")
    max_shares_per_order: int = Field(ge=1, le=10**9, description="Shares that an action of 1 asks for (FinRL's hmax).")
    is_fractional: bool = Field(description="Trade parts of a share.")
    buy_cost_fraction: Costs = Field(description="Cost of a buy, as a fraction of its value; one for all or by ticker.")
    sell_cost_fraction: Costs = Field(
        description="Cost of a sell, as a fraction of its value; one for all or by ticker."
    )
    slippage_bps: ImpactBps = Field(description="How much worse than the close every fill is, in basis points.")
    linear_impact_bps: ImpactBps = Field(
        description="How much worse a fill as large as the session's volume is, growing with the participation."
    )
    root_impact_bps: ImpactBps = Field(description="The same, growing with the square root of the participation.")
    reward_scaling: float = Field(gt=0, le=1, description="Reward per unit of quote currency gained in a session.")
    turbulence_threshold: float | None = Field(
        gt=0, description="At or above this turbulence everything is sold and nothing bought; empty means never."
    )
    indicators: tuple[str, ...] = Field(description="Feature columns that the agent sees, in this order.")
    use_sentiment: bool = Field(description="Show the agent what the news say of the market and of each ticker too.")
    observation_limit: float = Field(
        ge=1, le=1000, description="Bound of the normalised observations, in standard deviations."
    )

    @field_validator("indicators", "tickers")
    @classmethod
    def _unique(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and len(set(names)) < len(names):
            raise ValueError("must not name anything twice")
        return names

    @model_validator(mode="after")
    def _baskets_fit(self) -> "EnvironmentSettings":
        if self.baskets is not None:
            if self.tickers is None:
                raise ValueError("baskets need `tickers`: the ones that the trained model trades")
            count = len(self.tickers)
            if any(len(basket) != count or len(set(basket)) != count for basket in self.baskets):
                raise ValueError(f"each of the baskets must name {count} tickers, as `tickers` does, none twice")
            if unseen := sorted(set(self.tickers).difference(*self.baskets)):
                raise ValueError(f"no basket holds {', '.join(unseen)}, which the model is to trade")
        return self

    @model_validator(mode="after")
    def _names_are_traded(self) -> "EnvironmentSettings":
        if (traded := self.universe) is not None:
            for name in ("buy_cost_fraction", "sell_cost_fraction", "initial_shares"):
                value = getattr(self, name)
                if strangers := sorted(set(value) - set(traded)) if isinstance(value, dict) else []:
                    raise ValueError(f"{name} names {', '.join(strangers)}; traded are {', '.join(traded)}")
        if not self.is_fractional and any(held % 1 for held in self.initial_shares.values()):
            raise ValueError("initial_shares must be whole unless is_fractional=true")
        return self

    @model_validator(mode="after")
    def _fills_are_paid_for(self) -> "EnvironmentSettings":
        if self.slippage_bps + self.linear_impact_bps + self.root_impact_bps >= _BPS_A_UNIT:
            raise ValueError(f"slippage_bps, linear_impact_bps and root_impact_bps must sum to less than {_BPS_A_UNIT}")
        return self

    @model_validator(mode="after")
    def _finrl_can(self) -> "EnvironmentSettings":
        if self.engine == "batched":
            return self
        beyond = {
            "finrl_compatible": self.finrl_compatible,
            "baskets": self.baskets is not None,
            "windows": self.windows is not None,
            "random_start": self.random_start,
            "episode_sessions": self.episode_sessions is not None,
            "actions": self.actions != "share_orders",
            "is_fractional": self.is_fractional,
            "slippage_bps": self.slippage_bps > 0,
            "linear_impact_bps": self.linear_impact_bps > 0,
            "root_impact_bps": self.root_impact_bps > 0,
        }
        if asked := [name for name, is_set in beyond.items() if is_set]:
            raise ValueError(
                f"engine=finrl does not know {', '.join(asked)}; leave them at their defaults, or take engine=batched"
            )
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns of the features file that make the observation, in order."""
        return self.indicators + (SENTIMENT_COLUMNS if self.use_sentiment else ())

    @property
    def universe(self) -> tuple[str, ...] | None:
        """Every ticker that is traded or trained on, in alphabetical order; None means all of the data."""
        if self.tickers is None:
            return None
        return tuple(sorted({*self.tickers, *(ticker for basket in self.baskets or () for ticker in basket)}))
