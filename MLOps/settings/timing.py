"""Settings of the buy-timing market: which prices, cut into which cycles, and what a purchase costs."""

from datetime import date, timedelta

from pydantic import Field, model_validator

from MLOps.settings.bar_frequency import BAR_LENGTHS, BarFrequency
from MLOps.settings.crypto_source import Ticker
from MLOps.settings.stage_settings import Settings


class TimingDataSettings(Settings):
    """Prices of one coin, the cycles within which it is bought once, and the three windows of time."""

    symbol: Ticker = Field(description="Cryptocurrency, by its name under sources.crypto.symbols: BTC or ETH.")
    frequency: BarFrequency = Field(
        description="Time from one decision to the next; hourly bars are joined to days where 1d is asked."
    )
    window_size: int = Field(ge=2, le=1000, description="Closes that the agent sees, the present one among them.")
    cycle_steps: int = Field(ge=2, le=10_000, description="Decisions of a cycle; at the last one it must buy.")
    train_start: date | None = Field(description="First day to train on, in UTC; empty means the first of the data.")
    validation_start: date = Field(description="First day to choose a model on; training ends with the day before.")
    test_start: date = Field(description="First day to judge on; validation ends with the day before.")
    test_end: date | None = Field(description="Last day to judge on; empty means the last one of the data.")

    @property
    def bar_length(self) -> timedelta:
        """Time from one decision to the next."""
        return BAR_LENGTHS[self.frequency]

    @model_validator(mode="after")
    def _in_order(self) -> "TimingDataSettings":
        if self.train_start is not None and self.train_start >= self.validation_start:
            raise ValueError(
                f"train_start={self.train_start} must come before validation_start={self.validation_start}"
            )
        if self.validation_start >= self.test_start:
            raise ValueError(f"validation_start={self.validation_start} must come before test_start={self.test_start}")
        if self.test_end is not None and self.test_end < self.test_start:
            raise ValueError(f"test_end={self.test_end} must not come before test_start={self.test_start}")
        return self


class DcaTimingSettings(Settings):
    """What a purchase costs, how it is rewarded, and where in its cycle a training episode begins."""

    fee_bps: float = Field(ge=0, lt=5_000, description="Fee of the purchase, in basis points of its price.")
    reward_scale: float = Field(
        gt=0,
        le=1e6,
        description="Reward of saving a whole first price against the cycle's mean; 100: percent.",
    )
    random_first_step: bool = Field(
        description="Begin a training episode at a random step of its cycle, so that late decisions are seen as often "
        "as early ones."
    )
