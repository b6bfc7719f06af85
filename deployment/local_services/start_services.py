"""Start Airflow and the MLflow server on 127.0.0.1, wait until they answer, tell where to look.

Run: ``python -m deployment.local_services.start_services [key=value ...]``
"""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from deployment.local_services.airflow_environment import (
    airflow_environment,
    airflow_home,
    airflow_password,
    airflow_url,
)
from deployment.local_services.processes import (
    ServiceRecord,
    living_processes,
    recorded_services,
    start_service,
    stop_service,
)
from deployment.local_services.service_table import airflow_command, services
from MLOps.errors import PlatformError, ServiceUnavailableError
from MLOps.settings.compose import compose_settings
from MLOps.settings.local_services import LocalServicesSettings
from MLOps.settings.project import project_root

_LOOK_SECONDS = 0.5
_AIRFLOW_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


def read_settings(overrides: Sequence[str]) -> LocalServicesSettings:
    """The settings of the services on this machine."""
    return compose_settings(LocalServicesSettings, "local_services", overrides)


def services_folder(settings: LocalServicesSettings) -> Path:
    """Where records and logs of the running services are kept."""
    return airflow_home(settings) / "services"


def start_services(settings: LocalServicesSettings, say: Callable[[str], None]) -> None:
    """Start every service and wait until all answer; on failure none stays.

    Raises
    ------
    ServiceUnavailableError
        If a port is taken, a service ends at once, or it does not answer in time.
    """
    folder = services_folder(settings)
    running = [record.name for record in recorded_services(folder) if living_processes(record)]
    if running:
        say(f"already running: {', '.join(running)}; make down ends them")
        return
    for port, key in ((settings.ports.airflow, "ports.airflow"), (settings.ports.mlflow, "ports.mlflow")):
        _require_free(port, key)
    say("preparing Airflow's database")
    prepare_database(settings)
    records: list[ServiceRecord] = []
    try:
        for service in services(settings):
            records.append(start_service(service.name, service.command, service.environment, project_root(), folder))
        _wait(settings, records, say)
    except BaseException:
        for record in records:
            stop_service(record, folder, settings.services.stop_timeout_seconds)
        raise


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


def _require_free(port: int, key: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceUnavailableError(
                f"port {port} is in use by another program", "a free port", f"{key}=PORT or stop that program"
            ) from error


def _wait(settings: LocalServicesSettings, records: Sequence[ServiceRecord], say: Callable[[str], None]) -> None:
    """Wait until everything answers, telling each part once it does."""
    checks: dict[str, Callable[[], bool]] = {
        "Airflow": lambda: _airflow_answers(settings),
        "MLflow": lambda: _mlflow_answers(settings),
    }
    started, told = time.monotonic(), 0.0
    while checks:
        elapsed = time.monotonic() - started
        for name in [name for name, answers in checks.items() if answers()]:
            say(f"{name} answers after {elapsed:.0f} s")
            del checks[name]
        dead = [record.name for record in records if not living_processes(record)]
        if dead or elapsed > settings.services.start_timeout_seconds:
            fault = f"{dead[0]} ended at once" if dead else f"{', '.join(checks)} did not answer in {elapsed:.0f} s"
            raise ServiceUnavailableError(fault, mend=f"the logs in {services_folder(settings)}")
        if checks and elapsed - told >= 5:
            say(f"waiting for {' and '.join(checks)} ({elapsed:.0f} s)")
            told = elapsed
        time.sleep(_LOOK_SECONDS)


def _airflow_answers(settings: LocalServicesSettings) -> bool:
    parts = _get_json(f"{airflow_url(settings)}/api/v2/monitor/health") or {}
    return all((parts.get(name) or {}).get("status") == "healthy" for name in _AIRFLOW_PARTS)


def _mlflow_answers(settings: LocalServicesSettings) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.ports.mlflow}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


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
            f"logs     {services_folder(settings)}",
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
