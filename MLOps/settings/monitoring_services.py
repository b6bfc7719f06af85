"""Settings of the monitoring services that `make services-up` starts on this machine."""

from pydantic import Field, model_validator

from MLOps.settings.stage_settings import Settings, StageSettings


class MonitoringSettings(Settings):
    """How Prometheus, the Pushgateway, Alertmanager and the webhook receiver are run."""

    scrape_interval_seconds: int = Field(ge=1, le=3600, description="How often Prometheus asks for metrics.")
    evaluation_interval_seconds: int = Field(ge=1, le=3600, description="How often Prometheus evaluates its rules.")
    retention_days: int = Field(ge=1, le=3650, description="How long Prometheus keeps samples.")
    group_wait_seconds: int = Field(ge=0, le=3600, description="How long a new alert waits for others of its group.")
    group_interval_seconds: int = Field(
        ge=1, le=86_400, description="How long a group that was told waits before its next news, a resolve among them."
    )
    repeat_interval_hours: float = Field(gt=0, le=720, description="How often an alert that still fires is told again.")
    heartbeat_interval_seconds: int = Field(
        ge=1, le=86_400, description="How often the alert that always fires is sent on."
    )
    heartbeat_limit_seconds: int = Field(
        ge=1, le=604_800, description="Without a heartbeat for so long, alerting counts as down."
    )
    keep_notifications: int = Field(ge=1, le=1_000_000, description="How many notifications the receiver keeps.")
    start_timeout_seconds: int = Field(ge=1, le=3600, description="How long the services may take to come up.")
    stop_timeout_seconds: int = Field(ge=1, le=600, description="How long a service may take to end before a kill.")

    @model_validator(mode="after")
    def _outlasts_a_heartbeat(self) -> "MonitoringSettings":
        if self.heartbeat_limit_seconds <= 2 * self.heartbeat_interval_seconds:
            raise ValueError(
                f"heartbeat_limit_seconds={self.heartbeat_limit_seconds} must be more than twice "
                f"heartbeat_interval_seconds={self.heartbeat_interval_seconds}, else one late heartbeat is an alarm"
            )
        return self


class MonitoringServicesSettings(StageSettings):
    """Settings of start_monitoring, stop_monitoring and the webhook receiver."""

    monitoring: MonitoringSettings = Field(description="The monitoring services.")
