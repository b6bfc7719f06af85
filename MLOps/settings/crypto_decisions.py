"""Settings of the stage infer_crypto_timing."""

from datetime import date
from pathlib import Path

from pydantic import AwareDatetime, Field

from MLOps.settings.stage_settings import StageSettings, machine_field
from MLOps.settings.timing import TimingDataSettings


class InferCryptoTimingSettings(StageSettings):
    """Settings of infer_crypto_timing."""

    model_path: Path | None = machine_field(
        "Model folder or delivery folder, relative to the workspace; empty takes the registry's champion; by digest."
    )
    input_path: Path | None = machine_field(
        "Bars (.parquet) or observations (.npy, .json), relative to the workspace; empty means the newest bars that "
        "ingest_crypto_bars made; by digest."
    )
    output_path: Path | None = machine_field(
        "CSV that gets a copy of the decisions, relative to the workspace; empty leaves them in reports/ alone."
    )
    data: TimingDataSettings = Field(
        description="The bars' coin; frequency, window and cycle come from the model, where it has them."
    )
    cycles_from: AwareDatetime = Field(
        description="Instant at which a cycle begins, ISO 8601 with time zone; all others count from it, forwards and "
        "backwards, whatever the file begins with."
    )
    first_day: date | None = Field(description="First day, in UTC, whose decisions are written; empty means all.")
    threads: int = machine_field("Threads of one ONNX Runtime call.", ge=1, le=64)
