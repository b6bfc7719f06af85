"""Settings of deliver_alerts: where alert events go, and what a drift alert may start."""

from pathlib import Path

from pydantic import Field

from MLOps.settings.stage_settings import Settings, StageSettings

_URL = r"^https?://[^/@\s]+(/[^@\s]*)?$"


class DeliverySettings(Settings):
    """How alert events reach Alertmanager."""

    alertmanager_url: str | None = Field(
        pattern=_URL,
        description="Address of Alertmanager, without a password; empty means ports.alertmanager on 127.0.0.1.",
    )
    timeout_seconds: float = Field(gt=0, le=2, description="How long one delivery may take, all its tries together.")
    tries: int = Field(ge=1, le=10, description="Tries within one delivery.")
    pause_seconds: float = Field(ge=0, le=1, description="Wait before a further try.")
    fires_hours: float = Field(
        gt=0, le=720, description="An alert that is not told again for so long ends at Alertmanager by itself."
    )
    renew_seconds: float = Field(
        ge=1,
        le=86_400,
        description="An alert that still fires is told again so often; Alertmanager forgets at a restart.",
    )
    watch_interval_seconds: float = Field(gt=0, le=3600, description="With --watch: wait between two deliveries.")


class RetrainingSettings(Settings):
    """When a drift alert starts the strategy, and how often at most."""

    enabled: bool = Field(description="Whether a drift alert starts anything.")
    asset: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Airflow asset that is updated; it starts the plans.")
    cooldown_hours: float = Field(ge=0, le=720, description="Time after a retraining in which no other is started.")
    daily_budget: int = Field(ge=0, le=24, description="Retrainings in any 24 hours, at most.")
    max_age_hours: float = Field(gt=0, le=720, description="An older drift alert starts nothing.")
    airflow_url: str | None = Field(
        pattern=_URL, description="Address of Airflow, without a password; empty means ports.airflow on 127.0.0.1."
    )
    airflow_user: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name to log in to Airflow with.")
    passwords_file: Path = Field(
        description="Airflow's passwords, relative to the workspace; the variable AIRFLOW_API_PASSWORD goes first."
    )
    timeout_seconds: float = Field(gt=0, le=60, description="How long Airflow may take for an answer.")


class DeliverAlertsSettings(StageSettings):
    """Settings of deliver_alerts."""

    delivery: DeliverySettings = Field(description="Delivery to Alertmanager.")
    retraining: RetrainingSettings = Field(description="What a drift alert starts.")
