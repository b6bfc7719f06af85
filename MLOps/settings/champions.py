"""Settings of the stage check_champions."""

from pydantic import Field

from MLOps.settings.stage_settings import StageSettings


class ChampionsSettings(StageSettings):
    """Settings of the stage check_champions."""

    sentiment_model_name: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$", description="Name under which sentiment models are registered."
    )
