"""The services on this machine: the command line and the environment of each."""

import os
import sys

from deployment.local_services.airflow_environment import airflow_environment
from deployment.local_services.service_group import Service
from MLOps.settings.local_services import LocalServicesSettings

# A log server would listen on every interface; on one machine the logs are read from their files.
_AIRFLOW_PARTS = (
    ("api-server",),
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("triggerer", "--skip-serve-logs"),
)


def services(settings: LocalServicesSettings) -> list[Service]:
    """Airflow's processes, and the MLflow server."""
    airflow = airflow_environment(settings)
    parts = [Service(f"airflow-{name}", airflow_command(name, *flags), airflow) for name, *flags in _AIRFLOW_PARTS]
    return [*parts, Service("mlflow", _mlflow_command(settings), _mlflow_environment())]


def airflow_command(*arguments: str) -> tuple[str, ...]:
    """A command line of Airflow in this interpreter."""
    return (sys.executable, "-m", "airflow", *arguments)


def _mlflow_command(settings: LocalServicesSettings) -> tuple[str, ...]:
    from experiment_tracking.mlflow_utils import tracking_uri

    uri = tracking_uri(settings)
    store = uri if uri.startswith("sqlite:") else f"sqlite:///{settings.paths.workspace / 'mlruns.db'}"
    flags = {
        "--host": "127.0.0.1",
        "--port": str(settings.ports.mlflow),
        "--workers": "1",
        "--backend-store-uri": store,
        "--artifacts-destination": str(settings.paths.workspace / "mlartifacts"),
    }
    return (sys.executable, "-m", "mlflow", "server", *(part for flag in flags.items() for part in flag))


def _mlflow_environment() -> dict[str, str]:
    # Without its job runner the server takes 0.5 GB in place of 2.5.
    return {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
