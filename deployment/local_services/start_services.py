"""Start Airflow and the MLflow server on 127.0.0.1, wait until they answer, tell where to look.

Run: ``python -m deployment.local_services.start_services [key=value ...]``
"""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

from deployment.local_services.airflow_environment import (
    airflow_environment,
    airflow_home,
    airflow_password,
    airflow_url,
)
from deployment.local_services.service_group import Say, ServiceGroup, answers, require_free_ports
from deployment.local_services.service_table import airflow_command, services
from MLOps.errors import PlatformError, ServiceUnavailableError
from MLOps.settings.compose import compose_settings
from MLOps.settings.local_services import LocalServicesSettings
from MLOps.settings.project import project_root

_AIRFLOW_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


def read_settings(overrides: Sequence[str]) -> LocalServicesSettings:
    """The settings of the services on this machine."""
    return compose_settings(LocalServicesSettings, "local_services", overrides)


def service_group(settings: LocalServicesSettings) -> ServiceGroup:
    """Airflow and the MLflow server; records and logs are kept in ``.airflow/services``."""
    return ServiceGroup(
        folder=airflow_home(settings) / "services",
        start_timeout_seconds=settings.services.start_timeout_seconds,
        stop_timeout_seconds=settings.services.stop_timeout_seconds,
    )


def start_services(settings: LocalServicesSettings, say: Say) -> None:
    """Start every service and wait until all answer; on failure none stays.

    Raises
    ------
    ServiceUnavailableError
        If a port is taken, a service ends at once, or it does not answer in time.
    """
    group = service_group(settings)
    if running := group.running():
        say(f"already running: {', '.join(running)}; make down ends them")
        return
    require_free_ports({"ports.airflow": settings.ports.airflow, "ports.mlflow": settings.ports.mlflow})
    say("preparing Airflow's database")
    prepare_database(settings)
    checks = {
        "Airflow": lambda: _airflow_answers(settings),
        "MLflow": lambda: answers(f"http://127.0.0.1:{settings.ports.mlflow}/health"),
    }
    group.start(services(settings), checks, say)


def prepare_database(settings: LocalServicesSettings) -> None:
    """Make or migrate the tables of Airflow's database.

    Raises
    ------
    ServiceUnavailableError
        If Airflow cannot.
    """
    log = airflow_home(settings) / "db_migrate.log"
    environment = airflow_environment(settings)
    with log.open("wb") as stream:
        ended = subprocess.run(
            airflow_command("db", "migrate"),
            env=environment,
            cwd=project_root(),
            stdout=stream,
            stderr=stream,
            check=False,
        )
    if ended.returncode != 0:
        raise ServiceUnavailableError(f"airflow db migrate ended with exit status {ended.returncode}", mend=str(log))


def _airflow_answers(settings: LocalServicesSettings) -> bool:
    parts = _get_json(f"{airflow_url(settings)}/api/v2/monitor/health") or {}
    return all((parts.get(name) or {}).get("status") == "healthy" for name in _AIRFLOW_PARTS)


def _get_json(url: str) -> dict[str, dict[str, str] | None] | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            content: dict[str, dict[str, str] | None] = json.loads(answer.read())
            return content
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _where_to_look(settings: LocalServicesSettings) -> str:
    return "\n".join(
        (
            f"Airflow  {airflow_url(settings)}   user {settings.services.airflow_user}, "
            f"password {airflow_password(settings)}",
            f"MLflow   http://127.0.0.1:{settings.ports.mlflow}",
            f"logs     {service_group(settings).folder}",
            "end them with: make down",
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Start the services from the command line."""
    try:
        settings = read_settings(sys.argv[1:] if argv is None else argv)
        start_services(settings, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    except PlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(_where_to_look(settings))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
