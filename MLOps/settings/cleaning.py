"""Settings of clean_runs."""

from pydantic import Field

from MLOps.settings.stage_settings import StageSettings, machine_field


class CleaningSettings(StageSettings):
    """What of old runs stays; only what is both too old and too far back goes."""

    keep_days: int = Field(ge=0, le=36_500, description="Younger than this stays, in days.")
    keep_count: int = Field(ge=1, le=100_000, description="So many of the newest of each kind stay, however old.")
    dry_run: bool = machine_field("Tell what would go, and remove nothing.")
