"""Events, and Airflow's own metrics, through the real services: the watching delivery, and the bridge."""

import socket
import urllib.parse
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from MLOps.alert_events import StageFailedEvent, end_alert, write_event
from monitoring.alerts.delivery_record import read_record

pytestmark = [pytest.mark.services, pytest.mark.slow]


def _failure(status: Literal["firing", "resolved"], run_id: str) -> StageFailedEvent:
    return StageFailedEvent(
        event="stage_failed",
        status=status,
        at=datetime.now(UTC),
        run_date=None,
        message="no bars",
        log_url="http://127.0.0.1:8080/log",
        plan="daily_data",
        stage="ingest_data",
        run_id=run_id,
        try_number=1,
    )


def test_a_failure_makes_one_message_and_its_end_another(live_monitoring: Any) -> None:
    live, name = live_monitoring, StageFailedEvent.alert_name
    reports = live.settings.paths.reports
    write_event(reports, _failure("firing", "run1"))
    live.wait_for(lambda: live.notifications(name), "the notification")
    write_event(reports, _failure("firing", "run2"))  # fails again: the same alert
    live.wait_for(
        lambda: any("run2" in alert.event_file for alert in read_record(reports).told), "delivery of the second failure"
    )
    end_alert(reports, _failure("resolved", "run3"))
    live.wait_for(lambda: live.notifications(name)[1:], "the end")
    first, last = live.notifications(name)
    assert (first.status, last.status) == ("firing", "resolved")
    assert first.alerts[0].labels == {
        "alertname": name,
        "plan": "daily_data",
        "stage": "ingest_data",
        "severity": "critical",
    }
    assert first.alerts[0].fingerprint == last.alerts[0].fingerprint
    record = read_record(reports)
    assert (record.waiting, record.failure) == (0, None)


def test_airflows_packets_are_answered_by_prometheus(live_monitoring: Any) -> None:
    live = live_monitoring
    address = ("127.0.0.1", live.settings.ports.airflow_statsd)
    query = urllib.parse.urlencode({"query": "max(airflow_scheduler_heartbeat_total) > 0"})

    def answered() -> list[Any]:
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"airflow.scheduler_heartbeat:1|c", address)
        found: list[Any] = live.get("prometheus", f"/api/v1/query?{query}")["data"]["result"]
        return found

    assert live.wait_for(answered, "the heartbeat in Prometheus")
