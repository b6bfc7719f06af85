"""Settings of the stage convert_crypto_pickle."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from MLOps.settings.bar_frequency import BarFrequency
from MLOps.settings.crypto_source import Ticker
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field

TimeUnit = Literal["s", "ms", "us", "ns"]


class PickleColumns(Settings):
    """Column of the frame that holds each column of the bars; upper and lower case are the same."""

    time: str | None = Field(description="Times of the bars, in UTC where they name no zone; empty is the index.")
    open: str | None = Field(description="First price; empty where the frame has none: the close stands for it.")
    high: str | None = Field(description="Highest price; empty: the close stands for it.")
    low: str | None = Field(description="Lowest price; empty: the close stands for it.")
    close: str = Field(min_length=1, description="Last price, in US dollars a coin.")
    volume: str | None = Field(description="Coins traded; empty where the frame does not tell.")
    volume_usd: str | None = Field(description="US dollars traded; empty where the frame does not tell.")


class ConvertCryptoPickleSettings(StageSettings):
    """Settings of convert_crypto_pickle."""

    pickle_path: Path = machine_field(
        "A pickled DataFrame of one coin, relative to the workspace; its digest enters the identity."
    )
    max_file_mib: int = machine_field("A larger file is not read, in MiB.", ge=1, le=4096)
    symbol: Ticker = Field(description="The coin, by its ticker.")
    frequency: BarFrequency = Field(description="Length of a bar.")
    columns: PickleColumns = Field(description="Which column is which.")
    times_tell: Literal["opening", "closing"] = Field(description="Which end of a bar its time tells.")
    time_unit: TimeUnit | None = Field(
        description="Unit of times that are numbers since 1970; empty where they are dates or texts."
    )
