"""A webhook that keeps the alerts that come and shows them: the end of the chain on a machine without mail or chat.

Run: ``python -m monitoring.alerts.webhook_receiver [key=value ...]`` (`make services-up` starts it)

=====================  =============================================================================
POST /notifications    a message of Alertmanager; 200 once it is on disk, so a failure is tried again
POST /heartbeat        the alert that always fires
GET /                  page for a person
GET /alerts            the same as JSON
GET /health            200, or 503 while the heartbeat is missing
=====================  =============================================================================
"""

import json
import logging
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import ValidationError

from MLOps.errors import PlatformError
from MLOps.settings.compose import compose_settings
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from monitoring.alerts.alert_journal import AlertJournal, firing_alerts, journal_path
from monitoring.alerts.dead_mans_switch import ALERT, DeadMansSwitch
from monitoring.alerts.notification import Notification
from monitoring.alerts.render_alerts import render_alerts

_LOG = logging.getLogger(__name__)
_MAX_BYTES = 4 * 2**20
_LOOK_SECONDS = 1.0


class WebhookReceiver(ThreadingHTTPServer):
    """The server, on 127.0.0.1.

    Parameters
    ----------
    port : int
        0 takes a free one.
    journal : AlertJournal
        Keeps what comes.
    switch : DeadMansSwitch
        Watches the heartbeat.
    """

    daemon_threads = True

    def __init__(self, port: int, journal: AlertJournal, switch: DeadMansSwitch) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.journal, self.switch = journal, switch


class _Handler(BaseHTTPRequestHandler):
    server: WebhookReceiver

    def do_GET(self) -> None:
        switch, received = self.server.switch, self.server.journal.read
        match self.path:
            case "/":
                self._answer(HTTPStatus.OK, render_alerts(received(), switch.is_silent, switch.silence), "text/html")
            case "/alerts":
                self._answer_json(HTTPStatus.OK, [alert.model_dump(mode="json") for alert in firing_alerts(received())])
            case "/health":
                status = HTTPStatus.SERVICE_UNAVAILABLE if switch.is_silent else HTTPStatus.OK
                self._answer_json(status, {"heartbeat_age_seconds": round(switch.silence.total_seconds(), 1)})
            case _:
                self._refuse(HTTPStatus.NOT_FOUND, "there is /, /alerts and /health")

    def do_POST(self) -> None:
        takers = {"/notifications": self._keep, "/heartbeat": self._beat}
        if self.path not in takers:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is {' and '.join(takers)}")
        elif self.headers.get_content_type() != "application/json":  # what a page elsewhere can make a browser send
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "application/json is taken")
        elif (body := self._body()) is not None:
            takers[self.path](body)

    def _body(self) -> bytes | None:
        """The request's body; None, and answered, if it has no length or is too long."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed")
        elif int(length) > _MAX_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_MAX_BYTES} bytes are taken")
        else:
            return self.rfile.read(int(length))
        return None

    def _keep(self, body: bytes) -> None:
        try:
            notification = Notification.model_validate_json(body)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            self._refuse(HTTPStatus.BAD_REQUEST, f"no notification: {place}: {fault['msg']}")
            return
        try:
            self.server.journal.append(notification)
        except OSError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"cannot be kept: {error}")
            return
        names = ", ".join(sorted({alert.name for alert in notification.alerts}))
        _LOG.info("%s: %s (%d alerts)", notification.status, names, len(notification.alerts))
        self._answer_json(HTTPStatus.OK, {})

    def _beat(self, _body: bytes) -> None:
        try:
            self.server.switch.beat()
        except OSError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"cannot be kept: {error}")
            return
        self._answer_json(HTTPStatus.OK, {})

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        _LOG.warning("%s %s: %d, %s", self.command, self.path, status, reason)
        self.close_connection = True  # a body may lie unread
        self._answer_json(status, {"error": reason})

    def _answer_json(self, status: HTTPStatus, content: object) -> None:
        self._answer(status, json.dumps(content), "application/json")

    def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are logged by what they come to."""


def build_receiver(settings: MonitoringServicesSettings) -> WebhookReceiver:
    """The receiver, bound to its port and not yet serving.

    Raises
    ------
    OSError
        If the port is taken.
    """
    journal = AlertJournal(journal_path(settings.paths.reports), settings.monitoring.keep_notifications)
    return WebhookReceiver(settings.ports.alert_receiver, journal, build_switch(settings, journal))


def build_switch(settings: MonitoringServicesSettings, journal: AlertJournal) -> DeadMansSwitch:
    """The switch, which knows of an alarm that was raised before a restart."""
    limit = timedelta(seconds=settings.monitoring.heartbeat_limit_seconds)
    standing = [alert.starts_at for alert in firing_alerts(journal.read()) if alert.name == ALERT]
    return DeadMansSwitch(limit, journal.append, lambda: datetime.now(UTC), standing[0] if standing else None)


def _watch(switch: DeadMansSwitch, is_over: threading.Event) -> None:
    while not is_over.wait(_LOOK_SECONDS):
        try:
            switch.check()
        except OSError as error:
            _LOG.error("the alarm of the missing heartbeat cannot be kept: %s", error)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until it is ended."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        overrides = sys.argv[1:] if argv is None else argv
        receiver = build_receiver(compose_settings(MonitoringServicesSettings, "monitoring_services", overrides))
    except (PlatformError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code if isinstance(error, PlatformError) else 4
    is_over = threading.Event()
    threading.Thread(target=_watch, args=(receiver.switch, is_over), daemon=True).start()
    try:
        receiver.serve_forever()
    except KeyboardInterrupt:
        return 130
    finally:
        is_over.set()
        receiver.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
