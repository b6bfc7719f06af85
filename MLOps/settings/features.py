"""Settings of the stage build_features."""

from datetime import date
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from MLOps.settings.company_names import Company
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field
from MLOps.settings.versioning import VersioningSettings

IndicatorName = Literal["macd", "boll_ub", "boll_lb", "rsi_30", "cci_30", "dx_30", "close_30_sma", "close_60_sma"]


class SentimentFeatureSettings(Settings):
    """How scored news become a number at each close (MLOps/market/news_join.py)."""

    half_life_hours: float = Field(
        ge=0.1, le=8760, description="After so many hours an article weighs half of what it did."
    )
    prior_articles: float = Field(
        gt=0, le=1e6, description="Articles of score 0 that stand beside all the real ones: how much makes a mood."
    )
    ticker_prior_articles: float = Field(
        gt=0, le=1e6, description="Articles of score 0 that stand beside those that name one company."
    )


class FeatureSettings(StageSettings):
    """What is computed from which bars, and how it is written."""

    bars_path: Path = machine_field("Folder of validated bars; relative to the workspace.")
    news_path: Path | None = machine_field("Parquet file of news, relative to the workspace; empty means no news.")
    scores_path: Path | None = machine_field(
        "Parquet file of the news' scores, relative to the workspace; empty means unscored news, sentiment 0."
    )
    companies: dict[str, Company] = machine_field(
        "By which names the news call the companies; here only to tell the tickers that have none."
    )
    sentiment: SentimentFeatureSettings = Field(description="How scored news become a number at each close.")
    tickers: tuple[str, ...] | None = Field(min_length=1, description="Tickers to keep; empty means all.")
    first_session: date | None = Field(description="First session to read; the warm-up is taken from here on.")
    last_session: date | None = Field(description="Last session to read; empty means the last one there is.")
    fill_limit_sessions: int = Field(
        ge=0, le=20, description="Sessions in a row a missing bar may be carried forward; 0 makes it an error."
    )
    indicators: tuple[IndicatorName, ...] = Field(description="Technical indicators, in the order of the columns.")
    turbulence_window_sessions: int = Field(
        ge=20, le=2520, description="Past sessions whose returns say what is usual; also the warm-up that is dropped."
    )
    vix_ticker: str | None = Field(description="Ticker that becomes the column vix where the bars hold it.")
    exchange_timezone: str = Field(description="Time zone in which the day of an article ends whose time is unknown.")
    output_format: Literal["parquet", "csv", "both"] = Field(description="Format of processed_data_with_features.")
    versioning: VersioningSettings = machine_field("Data versioning.")

    @model_validator(mode="after")
    def _scores_need_news(self) -> "FeatureSettings":
        if self.scores_path is not None and self.news_path is None:
            raise ValueError("scores_path needs news_path: the articles that were scored")
        return self

    @field_validator("exchange_timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("must be an IANA time zone, such as America/New_York")
        return name

    @field_validator("indicators", "tickers")
    @classmethod
    def _are_unique(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and len(set(names)) < len(names):
            raise ValueError("must not name anything twice")
        return names
