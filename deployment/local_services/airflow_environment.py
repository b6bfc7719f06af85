"""Airflow's settings as environment variables; nothing is edited under its home, and secrets are made once."""

import json
import os
import secrets
import shlex
import sys
from pathlib import Path

from MLOps.settings.local_services import STAGE_WORKSPACE_VARIABLE, LocalServicesSettings
from MLOps.settings.project import project_root

_PASSWORDS = "passwords.json"
_JWT_SECRET = "jwt_secret"
_SECRET_BYTES = 64


def airflow_home(settings: LocalServicesSettings) -> Path:
    """Airflow's folder in the workspace: database, logs, secrets."""
    return settings.paths.workspace / ".airflow"


def airflow_environment(settings: LocalServicesSettings) -> dict[str, str]:
    """This process's environment with Airflow's settings in it; makes the home and the secrets if need be.

    The JWT secret is read through a command, so that it stands in no process's environment.
    """
    home, services = airflow_home(settings), settings.services
    secret, passwords = _secrets(home, services.airflow_user)
    url = airflow_url(settings)
    database = f"sqlite:///{home / 'airflow.db'}?timeout={services.database_wait_seconds}"
    own = {
        STAGE_WORKSPACE_VARIABLE: settings.paths.workspace,
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": project_root() / "dags",
        "AIRFLOW__CORE__LOAD_EXAMPLES": False,
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": services.airflow_parallelism,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{services.airflow_user}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": settings.ports.airflow,
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API_AUTH__JWT_SECRET_CMD": shlex.join(["cat", str(secret)]),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": services.scheduler_idle_sleep_seconds,
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": services.dag_refresh_seconds,
        # Packets that nobody takes cost nothing. With tags a DAG is a label, not a part of the name.
        "AIRFLOW__METRICS__STATSD_ON": True,
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": settings.ports.airflow_statsd,
        "AIRFLOW__METRICS__STATSD_PREFIX": "airflow",
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": True,
        "AIRFLOW__METRICS__LEGACY_NAMES_ON": False,
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": False,
    }
    binaries = str(Path(sys.executable).parent)  # Airflow looks its own command up
    path = os.pathsep.join([binaries, os.environ.get("PATH", os.defpath)])
    given = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database, **os.environ}  # whoever has a server names it himself
    return {**given, "PATH": path, **{name: str(value) for name, value in own.items()}}


def airflow_url(settings: LocalServicesSettings) -> str:
    """Where Airflow is looked at."""
    return f"http://127.0.0.1:{settings.ports.airflow}"


def airflow_password(settings: LocalServicesSettings) -> str:
    """The password to log in to Airflow with."""
    _, passwords = _secrets(airflow_home(settings), settings.services.airflow_user)
    password: str = json.loads(passwords.read_text())[settings.services.airflow_user]
    return password


def _secrets(home: Path, user: str) -> tuple[Path, Path]:
    """The files that hold the JWT secret and the password, readable by their owner only."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    secret, passwords = home / _JWT_SECRET, home / _PASSWORDS
    _create(secret, secrets.token_hex(_SECRET_BYTES))
    _create(passwords, json.dumps({user: secrets.token_urlsafe(12)}))
    return secret, passwords


def _create(path: Path, text: str) -> None:
    """Write a new file that its owner alone may read; one that stands already is left."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
