"""The receiver keeps what comes before it thanks, shows it, and refuses what is no notification."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from MLOps.settings.compose import compose_settings
from MLOps.settings.monitoring_services import MonitoringServicesSettings
from monitoring.alerts import webhook_receiver
from monitoring.alerts.alert_journal import AlertJournal, journal_path, read_journal
from monitoring.alerts.dead_mans_switch import DeadMansSwitch
from monitoring.alerts.notification import Notification
from monitoring.alerts.webhook_receiver import WebhookReceiver

Body = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notifications.jsonl"


@pytest.fixture
def receiver(path: Path) -> Iterator[WebhookReceiver]:
    """A receiver that serves on a free port; its dead-man's switch waits for an hour."""
    journal = AlertJournal(path, keep=100)
    switch = DeadMansSwitch(timedelta(hours=1), journal.append, lambda: datetime.now(UTC))
    server = WebhookReceiver(0, journal, switch)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _ask(
    receiver: WebhookReceiver, path: str, body: Body | bytes | None = None, kind: str = "application/json"
) -> tuple[int, str]:
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(
        f"http://127.0.0.1:{receiver.server_port}{path}", data, {"Content-Type": kind} if data is not None else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_notification_is_on_disk_when_it_is_thanked_for(
    receiver: WebhookReceiver, path: Path, make_body: Callable[..., Body]
) -> None:
    assert _ask(receiver, "/notifications", make_body())[0] == 200
    (kept,) = read_journal(path)
    (alert,) = kept.notification.alerts
    assert (alert.name, alert.status, alert.severity) == ("DriftFound", "firing", "warning")
    assert alert.starts_at == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def test_the_page_shows_what_fires_until_it_is_resolved(
    receiver: WebhookReceiver, make_body: Callable[..., Body]
) -> None:
    _ask(receiver, "/notifications", make_body())
    assert "<title>1 firing</title>" in _ask(receiver, "/")[1]
    assert [alert["labels"]["alertname"] for alert in json.loads(_ask(receiver, "/alerts")[1])] == ["DriftFound"]
    _ask(receiver, "/notifications", make_body("DriftFound", "resolved"))
    assert "<title>0 firing</title>" in _ask(receiver, "/")[1]
    assert json.loads(_ask(receiver, "/alerts")[1]) == []


def test_what_an_alert_says_is_shown_as_text(receiver: WebhookReceiver, make_body: Callable[..., Body]) -> None:
    _ask(receiver, "/notifications", make_body("<b>A</b>", "firing", "<script>alert(1)</script>"))
    page = _ask(receiver, "/")[1]
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_what_cannot_be_kept_is_sent_again(
    receiver: WebhookReceiver, path: Path, make_body: Callable[..., Body]
) -> None:
    """Alertmanager tries again after a 5xx, and gives up after a 4xx."""
    path.mkdir()
    assert _ask(receiver, "/notifications", make_body())[0] == 500
    path.rmdir()
    assert _ask(receiver, "/notifications", make_body())[0] == 200


@pytest.mark.parametrize(
    ("place", "body", "kind", "status"),
    [
        ("/notifications", b"{", "application/json", 400),
        ("/notifications", b'{"status": "firing"}', "application/json", 400),
        ("/notifications", b"\xff\xfe", "application/json", 400),
        ("/notifications", b"{}", "text/plain", 415),
        ("/elsewhere", b"{}", "application/json", 404),
        ("/elsewhere", None, "", 404),
    ],
    ids=["half", "incomplete", "bytes", "of a browser", "elsewhere", "get elsewhere"],
)
def test_what_is_no_notification_is_refused(
    receiver: WebhookReceiver, path: Path, place: str, body: bytes | None, kind: str, status: int
) -> None:
    assert _ask(receiver, place, body, kind)[0] == status
    assert read_journal(path) == []


@pytest.mark.parametrize(("length", "status"), [("99999999999", 413), ("-1", 411), (None, 411)])
def test_a_body_of_unknown_or_absurd_length_is_not_read(
    receiver: WebhookReceiver, length: str | None, status: int
) -> None:
    connection = HTTPConnection("127.0.0.1", receiver.server_port, timeout=10)
    connection.putrequest("POST", "/notifications")
    connection.putheader("Content-Type", "application/json")
    if length is not None:
        connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status == status
    connection.close()


def test_health_fails_while_the_heartbeat_is_missing(path: Path) -> None:
    journal, now = AlertJournal(path, keep=100), [datetime(2026, 1, 1, tzinfo=UTC)]
    switch = DeadMansSwitch(timedelta(seconds=5), journal.append, lambda: now[0])
    with WebhookReceiver(0, journal, switch) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert _ask(server, "/health")[0] == 200
        now[0] += timedelta(seconds=6)
        switch.check()
        assert _ask(server, "/health")[0] == 503
        assert "Alerting is silent" in _ask(server, "/")[1]
        assert _ask(server, "/heartbeat", b"{}")[0] == 200
        assert _ask(server, "/health")[0] == 200
        server.shutdown()
    assert [each.notification.status for each in read_journal(path)] == ["firing", "resolved"]


def test_a_receiver_that_starts_again_knows_of_the_alarm_that_stands(workspace: Path) -> None:
    settings = compose_settings(MonitoringServicesSettings, "monitoring_services", [f"paths.workspace='{workspace}'"])
    journal = AlertJournal(journal_path(settings.paths.reports), keep=100)
    moments = iter([datetime(2026, 1, 1, tzinfo=UTC), *[datetime(2026, 1, 2, tzinfo=UTC)] * 2])
    DeadMansSwitch(timedelta(seconds=5), journal.append, lambda: next(moments)).check()
    assert webhook_receiver.build_switch(settings, journal).is_silent


def test_a_taken_port_is_told(receiver: WebhookReceiver, workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    overrides = [f"paths.workspace='{workspace}'", f"ports.alert_receiver={receiver.server_port}"]
    assert webhook_receiver.main(overrides) == 4
    assert "in use" in capfd.readouterr().err


def test_parts_of_a_message_that_are_new_are_no_fault(make_body: Callable[..., Body]) -> None:
    assert Notification.model_validate({**make_body(), "something": "new"}).status == "firing"
