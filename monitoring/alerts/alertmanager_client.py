"""Alerts by POST to Alertmanager, without Prometheus between.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, ``/alerts``
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from experiment_tracking.metric_sinks import done_within
from MLOps.alert_events import AlertEvent
from MLOps.errors import ServiceUnavailableError
from MLOps.settings.alert_delivery import DeliverySettings
from monitoring.alerts.due_alerts import ToldAlert
from monitoring.service_requests import REQUEST_ERRORS, open_request, refusal_text


class LostAnswerError(ServiceUnavailableError):
    """The alerts went out, and no answer came or one that leaves it open: Alertmanager may have them."""


def alert_body(event: AlertEvent, told: ToldAlert, fires_for: timedelta) -> dict[str, Any]:
    """One alert as Alertmanager takes it.

    A firing alert needs an end too, for Alertmanager would end it after five minutes; a later telling moves it.

    Parameters
    ----------
    event : AlertEvent
        What is told.
    told : ToldAlert
        Its record as of now.
    fires_for : timedelta
        How long it fires if nothing more is told of it.
    """
    ends = told.told_at + fires_for if event.status == "firing" else event.at
    begins = min(told.fires_since, ends)  # a clock that was put back must not make the alert invalid
    place = {"generatorURL": event.log_url} if event.log_url else {}
    return {
        "labels": dict(event.labels),
        "annotations": {"summary": _summary(event), "description": event.message, "action": event.action},
        "startsAt": begins.isoformat(),
        "endsAt": ends.isoformat(),
        **place,
    }


def post_alerts(url: str, bodies: Sequence[dict[str, Any]], settings: DeliverySettings) -> None:
    """Tell Alertmanager at `url`; tried again on an outage, all tries within the time limit.

    Raises
    ------
    LostAnswerError
        If nobody knows whether it was told.
    ServiceUnavailableError
        If it was not told.
    """
    try:
        done_within(settings.timeout_seconds, lambda: _post_with_tries(url, json.dumps(bodies).encode(), settings))
    except urllib.error.HTTPError as error:
        kind = LostAnswerError if _may_pass(error) else ServiceUnavailableError
        raise kind(f"Alertmanager at {url} refuses the alerts: {refusal_text(error)}") from error
    except urllib.error.URLError as error:  # not even the request went out whole
        raise ServiceUnavailableError(
            f"Alertmanager at {url} does not answer ({error.reason})",
            mend="make services-up, or delivery.alertmanager_url",
        ) from error
    except REQUEST_ERRORS as error:
        raise LostAnswerError(f"Alertmanager at {url} gave no answer ({error or type(error).__name__})") from error


def _post_with_tries(url: str, body: bytes, settings: DeliverySettings) -> None:
    for tries_left in reversed(range(settings.tries)):
        try:
            _post(url, body, settings.timeout_seconds)
        except REQUEST_ERRORS as error:
            if not tries_left or not _may_pass(error):
                raise
            time.sleep(settings.pause_seconds)
        else:
            return


def _post(url: str, body: bytes, timeout_seconds: float) -> None:
    request = urllib.request.Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"}, method="POST")
    with open_request(request, timeout_seconds):
        pass


def _may_pass(error: Exception) -> bool:
    """Whether the same request could succeed later: no refusal."""
    return not isinstance(error, urllib.error.HTTPError) or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR


def _summary(event: AlertEvent) -> str:
    return f"{event.alert_name}: {', '.join(event.subject.values())}"
