"""Settings of the services that `make up` starts on this machine."""

from pydantic import Field

from MLOps.settings.stage_settings import Settings, StageSettings

STAGE_OUTPUT_VARIABLE = "STAGE_OUTPUT_FD"
"""Environment variable of Airflow: number of an open file that takes what stages write, in place of the task's log."""

STAGE_WORKSPACE_VARIABLE = "STAGE_WORKSPACE"
"""Environment variable of Airflow: workspace of the stages, unless a run's form gives another."""


class ServiceSettings(Settings):
    """How Airflow and the MLflow server are run."""

    airflow_user: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name to log in to Airflow with.")
    airflow_parallelism: int = Field(ge=1, le=64, description="Tasks that Airflow runs at a time.")
    scheduler_idle_sleep_seconds: float = Field(
        gt=0, le=60, description="Pause of an idle scheduler; most of what a task costs beside its own time."
    )
    database_wait_seconds: int = Field(
        ge=5, le=600, description="How long a part of Airflow waits while another writes to its SQLite database."
    )
    dag_refresh_seconds: int = Field(ge=1, le=3600, description="How often Airflow reads the DAG files again.")
    start_timeout_seconds: int = Field(ge=1, le=3600, description="How long a service may take to come up.")
    stop_timeout_seconds: int = Field(ge=1, le=600, description="How long a service may take to end before a kill.")


class LocalServicesSettings(StageSettings):
    """Settings of start_services, stop_services and run_demo."""

    services: ServiceSettings = Field(description="The services.")
