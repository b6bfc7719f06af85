"""Settings of the stage ingest_crypto_bars."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from MLOps.settings.clock import Clock, parse_clock
from MLOps.settings.crypto_source import CryptoSymbol, Ticker
from MLOps.settings.ingestion import SourceSettings, checked_clock
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field
from MLOps.settings.versioning import VersioningSettings


class CryptoDataSettings(Settings):
    """Which bars, up to when."""

    symbol: Ticker = Field(description="Cryptocurrency, by its name under sources.crypto.symbols; in lower case too.")
    as_of: Annotated[str, BeforeValidator(checked_clock)] = Field(
        description="Clock of the data, in days of UTC: logical_date, replay(YYYY-MM-DD) or YYYY-MM-DD."
    )

    @property
    def clock(self) -> Clock:
        return parse_clock(self.as_of)


class CryptoValidationSettings(Settings):
    """Limits of the validation suite."""

    max_reported_rows: int = Field(ge=1, le=10_000, description="Rows that the report names for each failed check.")


class CryptoIngestionSettings(StageSettings):
    """Settings of the stage ingest_crypto_bars."""

    data: CryptoDataSettings = Field(description="Which bars, up to when.")
    # Only the chosen symbol decides what is made; the stage adds its section to the identity.
    sources: SourceSettings = machine_field("Where data may come from.")
    validation: CryptoValidationSettings = Field(description="Limits of the validation suite.")
    versioning: VersioningSettings = machine_field("Data versioning.")

    @model_validator(mode="after")
    def _known_symbol(self) -> "CryptoIngestionSettings":
        known = self.sources.crypto.symbols
        if self.data.symbol not in known:
            raise ValueError(f"data.symbol={self.data.symbol}; allowed: {', '.join(known)}")
        return self

    @property
    def source(self) -> CryptoSymbol:
        """The section of the chosen symbol."""
        return self.sources.crypto.symbols[self.data.symbol]
