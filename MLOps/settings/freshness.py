"""Settings of the stage check_freshness."""

from pydantic import Field

from MLOps.settings.stage_settings import StageSettings


class FreshnessSettings(StageSettings):
    """Settings of the stage check_freshness."""

    feeds: tuple[str, ...] = Field(
        min_length=1, description="Folders of the newest ingested data, relative to the workspace; * is any name."
    )
