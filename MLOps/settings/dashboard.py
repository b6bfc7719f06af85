"""Settings of the dashboard in the browser."""

from pydantic import Field

from MLOps.settings.stage_settings import Settings, StageSettings


class DashboardPageSettings(Settings):
    """How much the pages show, and how often they look again."""

    refresh_seconds: int = Field(ge=5, le=86_400, description="How often an open page reads everything anew.")
    shown_runs: int = Field(ge=1, le=1_000, description="Newest tracked runs that are listed.")
    shown_alerts: int = Field(ge=1, le=1_000, description="Newest alerts that are listed.")
    shown_evaluations: int = Field(ge=1, le=1_000, description="Newest evaluations of a coin that are listed.")
    shown_columns: int = Field(ge=1, le=100, description="Columns of a drift check that are drawn, the worst first.")


class DashboardSettings(StageSettings):
    """Settings of the dashboard."""

    sentiment_model_name: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$", description="Name under which sentiment models are registered."
    )
    dashboard: DashboardPageSettings = Field(description="The pages.")
