"""Airflow's settings come from one function; its secrets are made once and kept from others."""

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from deployment.local_services.airflow_environment import airflow_environment, airflow_home, airflow_password
from deployment.local_services.start_services import read_settings
from MLOps.settings.local_services import LocalServicesSettings

_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


@pytest.fixture
def settings(workspace: Path) -> LocalServicesSettings:
    return read_settings([f"paths.workspace='{workspace}'", "ports.airflow=18111"])


def test_everything_listens_on_this_machine_only(settings: LocalServicesSettings) -> None:
    environment = airflow_environment(settings)
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__API__PORT"] == "18111"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:18111/execution/"


def test_the_home_is_absolute_and_in_the_workspace(settings: LocalServicesSettings, workspace: Path) -> None:
    environment = airflow_environment(settings)
    assert environment["AIRFLOW_HOME"] == str(workspace / ".airflow")
    assert environment["STAGE_WORKSPACE"] == str(workspace)
    assert environment["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"


def test_airflow_waits_while_another_part_writes(
    settings: LocalServicesSettings, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(_DATABASE, raising=False)
    address = airflow_environment(settings)[_DATABASE]
    assert make_url(address).database == str(workspace / ".airflow" / "airflow.db")
    with create_engine(address).connect() as connection:
        patience_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert patience_ms == 1000 * settings.services.database_wait_seconds


def test_a_database_that_the_user_names_is_kept(
    settings: LocalServicesSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_DATABASE, "postgresql://me@127.0.0.1/airflow")
    assert airflow_environment(settings)[_DATABASE] == "postgresql://me@127.0.0.1/airflow"


def test_secrets_are_made_once_and_only_their_owner_may_read_them(settings: LocalServicesSettings) -> None:
    first = airflow_environment(settings)
    home = airflow_home(settings)
    secret, password = (home / "jwt_secret").read_text(), airflow_password(settings)
    assert len(secret) >= 64
    assert airflow_environment(settings) == first
    assert (home / "jwt_secret").read_text() == secret
    assert airflow_password(settings) == password
    for file in ("jwt_secret", "passwords.json"):
        assert (home / file).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_no_secret_stands_in_the_environment(settings: LocalServicesSettings) -> None:
    text = json.dumps(airflow_environment(settings))
    assert (airflow_home(settings) / "jwt_secret").read_text() not in text
    assert airflow_password(settings) not in text
