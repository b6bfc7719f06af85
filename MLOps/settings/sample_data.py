"""Settings of the sample data for the signal-rate job."""

from pydantic import Field, model_validator

from MLOps.settings.crypto_source import CryptoSymbol
from MLOps.settings.ingestion import SourceSettings
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field


class SampleJobSettings(Settings):
    """What the sample's config.yaml tells the signal-rate job."""

    seed: int = Field(description="Kept in the metrics; the job draws nothing.")
    window: int = Field(ge=1, description="Rows of the rolling mean.")
    version: str = Field(min_length=1, description="Kept in the metrics.")


class SampleDataSettings(StageSettings):
    """Settings of the command write_sample_data."""

    rows: int = Field(ge=1, description="How many of the first hours of BTC are written.")
    job: SampleJobSettings = Field(description="The config.yaml beside the data.")
    sources: SourceSettings = machine_field("Where data may come from; BTC under crypto is read.")

    @model_validator(mode="after")
    def _has_bitcoin(self) -> "SampleDataSettings":
        source = self.sources.crypto.symbols.get("BTC")
        if source is None or source.columns.volume_usd is None:
            raise ValueError("sources.crypto.symbols must hold BTC with a column volume_usd")
        return self

    @property
    def source(self) -> CryptoSymbol:
        return self.sources.crypto.symbols["BTC"]
