"""Settings of the stage export_crypto_model."""

from pathlib import Path

from pydantic import Field

from MLOps.settings.stage_settings import StageSettings, machine_field
from MLOps.settings.timing import TimingDataSettings


class ExportCryptoModelSettings(StageSettings):
    """Settings of export_crypto_model."""

    model_path: Path | None = machine_field(
        "Model folder to export, relative to the workspace; empty takes the model from the registry."
    )
    model_alias: str = machine_field("Registry alias to export where neither path nor version is given.", min_length=1)
    model_version: int | None = machine_field("Registry version to export; empty takes the alias.", ge=1)
    output_dir: Path = machine_field("Where <SYMBOL>_<seed>/ is put, relative to the workspace.")
    bars_path: Path | None = machine_field(
        "Crypto bars that the graphs are tried on; empty means the newest that ingest_crypto_bars made; by digest."
    )
    observations_path: Path | None = machine_field(
        "Observations to try the graphs on instead, a .npy file (N, window_size + 2), relative to the workspace."
    )
    data: TimingDataSettings = Field(
        description="The bars' coin and frequency, and the test window; window and cycle come from the model."
    )
    max_observations: int = Field(
        ge=10, le=1_000_000, description="Observations that the graphs are tried on; the last ones are taken."
    )
    timed_calls: int = Field(ge=10, le=1_000_000, description="Calls that are timed for each graph.")
