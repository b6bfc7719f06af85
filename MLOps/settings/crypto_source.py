"""Settings of the source of crypto bars: data files inside public package archives."""

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BeforeValidator, Field, NaiveDatetime, field_validator, model_validator

from MLOps.settings.bar_frequency import BAR_LENGTHS, BarFrequency
from MLOps.settings.packaged_file import PackagedFile
from MLOps.settings.stage_settings import Settings, machine_field


def _in_upper_case(given: object) -> object:
    return given.upper() if isinstance(given, str) else given


Ticker = Annotated[str, BeforeValidator(_in_upper_case), Field(pattern=r"^[A-Z0-9]{2,10}$")]
"""Name of a coin, given in either case."""


class MissingSpan(Settings):
    """A stretch without bars."""

    first: AwareDatetime = Field(description="Opening of the first missing bar, ISO 8601 with time zone.")
    last: AwareDatetime = Field(description="Opening of the last missing bar, ISO 8601 with time zone.")

    @model_validator(mode="after")
    def _in_order(self) -> "MissingSpan":
        if self.first > self.last:
            raise ValueError(f"first={self.first} is after last={self.last}")
        return self


class LocalTimeSpan(Settings):
    """A stretch of rows whose times the file writes in local time, though the rest of it is in UTC.

    Of an hour that comes twice when the clocks are set back, the second one is meant.
    """

    first: NaiveDatetime = Field(
        description="Earliest of these times as the file writes it, ISO 8601 without time zone."
    )
    last: NaiveDatetime = Field(description="Latest of them, likewise.")
    timezone: str = Field(description="IANA name of the time zone, as in America/New_York.")

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("must be an IANA name of a time zone, such as America/New_York") from error

    @model_validator(mode="after")
    def _in_order(self) -> "LocalTimeSpan":
        if self.first > self.last:
            raise ValueError(f"first={self.first} is after last={self.last}")
        return self


class CryptoColumns(Settings):
    """Column of the file that holds each column of the contract."""

    opened_at: str = Field(description="Opening of the bar, in UTC; empty is the column without a name.")
    open: str = Field(min_length=1, description="First price.")
    high: str = Field(min_length=1, description="Highest price.")
    low: str = Field(min_length=1, description="Lowest price.")
    close: str = Field(min_length=1, description="Last price.")
    volume: str = Field(min_length=1, description="Coins traded.")
    volume_usd: str | None = Field(description="US dollars traded; empty means that the file does not tell.")


class CryptoSymbol(PackagedFile):
    """Bars of one cryptocurrency, a CSV inside a package archive; its rows may be in any order."""

    frequency: BarFrequency = Field(description="Length of a bar.")
    header_line: int = Field(ge=1, le=100, description="Line of the file that holds the columns' names.")
    time_format: str = Field(min_length=1, description="How the file writes times, in strptime's words.")
    columns: CryptoColumns = Field(description="Names of the columns.")
    is_last_bar_open: bool = Field(description="The last bar was still open when the file was made: it is left out.")
    local_time_spans: tuple[LocalTimeSpan, ...] = Field(
        description="Stretches that the file writes in local time; they are brought to UTC."
    )
    missing_spans: tuple[MissingSpan, ...] = Field(
        description="Stretches without bars that were looked at; any other one fails the validation."
    )

    @property
    def bar_length(self) -> timedelta:
        return BAR_LENGTHS[self.frequency]


class CryptoSourceSettings(Settings):
    """Crypto bars inside public package archives, fetched from the configured pip index."""

    symbols: dict[Ticker, CryptoSymbol] = Field(description="The cryptocurrencies by their ticker.")
    timeout_seconds: float = machine_field("How long to wait for the package index.", gt=0, le=600)
