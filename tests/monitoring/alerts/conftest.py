"""A stand-in for Alertmanager, alert events to deliver to it, and notifications as it sends them."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from MLOps.alert_events import StageFailedEvent
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from MLOps.settings.stage_settings import PathSettings
from monitoring.alerts.deliver_alerts import read_settings

Body = dict[str, Any]
_START = datetime(2024, 3, 5, 22, 0, tzinfo=UTC)


@dataclass
class StandIn:
    """Takes POSTs on 127.0.0.1 and answers them with the statuses, or bytes, that it is given, then with 200."""

    url: str = ""
    statuses: list[int | bytes] = field(default_factory=list)
    posts: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What came, in its order."""
        return [alert for _, alerts in self.posts for alert in alerts]


@pytest.fixture
def at() -> Callable[[float], datetime]:
    """``at(minutes)``: a moment, in minutes after the start."""
    return lambda minutes: _START + timedelta(minutes=minutes)


@pytest.fixture
def alertmanager() -> Iterator[StandIn]:
    stand_in = StandIn()
    stand_in.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stand_in.posts.append((self.path, body))
            stand_in.hold.wait()
            status = stand_in.statuses.pop(0) if stand_in.statuses else 200
            if isinstance(status, bytes):
                self.wfile.write(status)
                self.close_connection = True
                return
            told = b"" if status == 200 else b"bad labels"
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield stand_in
    stand_in.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def composed() -> DeliverAlertsSettings:
    """The settings as the YAML has them; to compose them takes most of a test's time."""
    return read_settings(["delivery.pause_seconds=0", "retraining.enabled=false"])


@pytest.fixture
def settings(composed: DeliverAlertsSettings, workspace: Path, alertmanager: StandIn) -> DeliverAlertsSettings:
    """Delivery to the stand-in, without a pause; drift starts nothing."""
    delivery = composed.delivery.model_copy(update={"alertmanager_url": alertmanager.url})
    return composed.model_copy(update={"paths": PathSettings(workspace=workspace), "delivery": delivery})


@pytest.fixture
def make_failure() -> Callable[..., StageFailedEvent]:
    """A maker of events of ingest_data in daily_data, so many minutes after the start."""

    def make(minutes: float = 0, status: str = "firing", **changes: Any) -> StageFailedEvent:
        values = {
            "event": "stage_failed",
            "status": status,
            "at": _START + timedelta(minutes=minutes),
            "run_date": date(2024, 3, 5),
            "message": "no bars",
            "log_url": "http://127.0.0.1:8080/log",
            "plan": "daily_data",
            "stage": "ingest_data",
            "run_id": f"scheduled__{minutes}",
            "try_number": 1,
        }
        return StageFailedEvent.model_validate(values | changes)

    return make


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
