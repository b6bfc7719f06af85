"""Settings of the stage measure_signal_rates."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from MLOps.settings.stage_settings import StageSettings, machine_field

Period = Literal["month", "quarter", "year"]
Window = Annotated[int, Field(ge=1, le=1_000_000)]


class SignalRatesSettings(StageSettings):
    """Of which bars the signal rate is measured, over which windows and periods."""

    market: Literal["stock", "crypto"] = Field(
        description="Contract of the bars: stock (made by ingest_data) or crypto (made by ingest_crypto_bars)."
    )
    bars_path: Path = machine_field("Folder or Parquet file of bars; relative to the workspace.")
    windows: tuple[Window, ...] = Field(min_length=1, description="Rows of each rolling mean.")
    windows_span_gaps: bool = Field(
        description="Take means over missing crypto bars and splits of stocks, as run_signal_rate.py does."
    )
    period: Period = Field(description="Calendar period over which each rate of the table is taken.")

    @field_validator("windows")
    @classmethod
    def _are_unique(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(windows)) < len(windows):
            raise ValueError("must not name a window twice")
        return windows
