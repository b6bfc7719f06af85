"""The little of Airflow's REST API that drift needs: log in, find an asset, update it.

Source: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from MLOps.errors import ServiceUnavailableError, SettingsError
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from monitoring.service_requests import REQUEST_ERRORS, open_request, refusal_text

PASSWORD_VARIABLE = "AIRFLOW_API_PASSWORD"

_Read = TypeVar("_Read")


class UnknownOutcomeError(ServiceUnavailableError):
    """A request went out, and no answer came or one that leaves it open: Airflow may have done it."""


class AirflowApi:
    """Airflow, logged in.

    Parameters
    ----------
    url : str
        Its address.
    user, password : str
        Exchanged for a token.
    timeout_seconds : float
        How long an answer may take.

    Raises
    ------
    ServiceUnavailableError
        If Airflow does not answer, or refuses the login.
    """

    def __init__(self, url: str, user: str, password: str, timeout_seconds: float) -> None:
        self._url, self._timeout_seconds = url, timeout_seconds
        self._headers = {"Content-Type": "application/json"}
        login = {"username": user, "password": password}
        token = self._call("/auth/token", lambda found: found["access_token"], login)
        self._headers["Authorization"] = f"Bearer {token}"

    def asset_id(self, name: str) -> int:
        """The number that Airflow gave to an asset.

        Raises
        ------
        ServiceUnavailableError
            If no DAG that Airflow has read knows the asset.
        """
        query = urllib.parse.urlencode({"name_pattern": name, "limit": 100})
        numbers = self._call(f"/api/v2/assets?{query}", _asset_numbers)
        if name in numbers:
            return numbers[name]
        raise ServiceUnavailableError(f"Airflow knows no asset {name}", "one that a plan reads", "retraining.asset")

    def update_asset(self, asset_id: int, extra: Mapping[str, Any]) -> int:
        """Update an asset, which starts the DAGs that read it; gives the number of the event.

        Raises
        ------
        UnknownOutcomeError
            If no answer came, or that of a server which failed.
        ServiceUnavailableError
            If Airflow refuses.
        """
        update = {"asset_id": asset_id, "extra": dict(extra)}
        return self._call("/api/v2/assets/events", lambda found: int(found["id"]), update)

    def _call(self, path: str, read: Callable[[Any], _Read], body: Mapping[str, Any] | None = None) -> _Read:
        """What `read` finds in the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers)
        try:
            with open_request(request, self._timeout_seconds) as answer:
                return read(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            kind = UnknownOutcomeError if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR else ServiceUnavailableError
            raise kind(f"Airflow refuses {path}: {refusal_text(error)}") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError):
                raise ServiceUnavailableError(f"Airflow at {self._url} does not answer", mend="make up") from error
            raise UnknownOutcomeError(f"Airflow at {self._url} gave no answer to {path} ({error.reason})") from error
        except (*REQUEST_ERRORS, ValueError) as error:
            raise UnknownOutcomeError(f"Airflow at {self._url} gave no answer to {path} ({error})") from error
        except (KeyError, TypeError) as error:
            raise UnknownOutcomeError(
                f"Airflow at {self._url} answers {path} in a form of its own ({error!r})"
            ) from error


def _asset_numbers(found: Any) -> dict[str, int]:
    return {asset["name"]: int(asset["id"]) for asset in found["assets"]}


def open_airflow(settings: DeliverAlertsSettings) -> AirflowApi:
    """Airflow as the settings name it.

    Raises
    ------
    SettingsError
        If there is no password.
    ServiceUnavailableError
        If Airflow does not answer, or refuses the login.
    """
    retraining = settings.retraining
    url = retraining.airflow_url or f"http://127.0.0.1:{settings.ports.airflow}"
    password = os.environ.get(PASSWORD_VARIABLE) or _password_in(
        settings.paths.workspace / retraining.passwords_file, retraining.airflow_user
    )
    return AirflowApi(url, retraining.airflow_user, password, retraining.timeout_seconds)


def _password_in(path: Path, user: str) -> str:
    try:
        return str(json.loads(path.read_bytes())[user])
    except (OSError, ValueError, KeyError, TypeError) as error:
        mend = f"{PASSWORD_VARIABLE} in the environment, or retraining.passwords_file"
        raise SettingsError(f"{path} holds no password of {user}", "the login to Airflow", mend) from error
