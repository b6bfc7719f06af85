"""Notifications as Alertmanager sends them."""

from collections.abc import Callable
from typing import Any

import pytest

Body = dict[str, Any]


@pytest.fixture(scope="session")
def make_body() -> Callable[..., Body]:
    """``make_body(name, status, summary)``: one alert of one group, with fields that we do not read, too."""

    def make(name: str = "DriftFound", status: str = "firing", summary: str = "features drifted") -> Body:
        alert = {
            "status": status,
            "labels": {"alertname": name, "severity": "warning", "subject": "features"},
            "annotations": {"summary": summary, "description": "It differs.", "action": "Look."},
            "startsAt": "2026-01-02T03:04:05.678Z",
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-01-02T03:14:05.678Z",
            "generatorURL": "http://127.0.0.1:9090/graph",
            "fingerprint": f"f{name}",
        }
        return {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{name}"}}',
            "truncatedAlerts": 0,
            "status": status,
            "receiver": "webhook",
            "groupLabels": {"alertname": name},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://127.0.0.1:9093",
            "alerts": [alert],
        }

    return make
