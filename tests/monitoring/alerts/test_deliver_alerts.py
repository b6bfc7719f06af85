"""Direct delivery: what is told, when it is told again, and what becomes of it while nobody takes it."""

import logging
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiment_tracking.metric_samples import samples_in
from MLOps.alert_events import DriftFoundEvent, StageFailedEvent, end_alert, events_folder, read_events, write_event
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from monitoring.alerts.deliver_alerts import deliver_alerts, main, run_once, watch
from monitoring.alerts.delivery_record import read_record, record_path
from monitoring.services.configuration import rules_folder

At = Callable[[float], datetime]
MakeFailure = Callable[..., StageFailedEvent]


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _sent_to(settings: DeliverAlertsSettings, **changes: Any) -> DeliverAlertsSettings:
    return settings.model_copy(update={"delivery": settings.delivery.model_copy(update=changes)})


def _metrics(settings: DeliverAlertsSettings) -> dict[str, float]:
    text = (settings.paths.reports / "metrics" / "deliver_alerts.prom").read_text()
    return {sample.metric.name: sample.value for sample in samples_in(text)}


def test_a_failure_is_told_as_alertmanager_takes_it(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    write_event(settings.paths.reports, make_failure())
    record = deliver_alerts(settings, at(1))
    assert alertmanager.posts == [
        (
            "/api/v2/alerts",
            [
                {
                    "labels": {
                        "alertname": "StageFailedForGood",
                        "plan": "daily_data",
                        "severity": "critical",
                        "stage": "ingest_data",
                    },
                    "annotations": {
                        "summary": "StageFailedForGood: daily_data, ingest_data",
                        "description": "no bars",
                        "action": StageFailedEvent.action,
                    },
                    "startsAt": "2024-03-05T22:00:00+00:00",
                    "endsAt": "2024-03-06T22:01:00+00:00",  # a day after it was told
                    "generatorURL": "http://127.0.0.1:8080/log",
                }
            ],
        )
    ]
    assert (record.waiting, record.failures, record.last_told_at) == (0, 0, at(1))
    assert _metrics(settings) == {
        "trading_alerts_undelivered": 0,
        "trading_alerts_last_delivery_timestamp_seconds": at(1).timestamp(),
    }


def test_what_was_told_is_not_told_again_before_it_is_time(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    write_event(settings.paths.reports, make_failure())
    for minutes in (1, 1.5, 1.9):
        deliver_alerts(settings, at(minutes))
    assert len(alertmanager.posts) == 1
    deliver_alerts(settings, at(2))  # renew_seconds later
    assert [alert["endsAt"] for alert in alertmanager.alerts] == [
        "2024-03-06T22:01:00+00:00",
        "2024-03-06T22:02:00+00:00",
    ]


def test_failures_of_one_stage_are_one_alert_since_the_first(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    write_event(settings.paths.reports, make_failure(0))
    deliver_alerts(settings, at(1))
    write_event(settings.paths.reports, make_failure(1.2, message="still no bars"))
    deliver_alerts(settings, at(1.3))
    first, second = alertmanager.alerts
    assert first["labels"] == second["labels"]
    assert second["startsAt"] == first["startsAt"]
    assert second["annotations"]["description"] == "still no bars"


def test_a_success_ends_the_alert_once(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    reports = settings.paths.reports
    write_event(reports, make_failure(0))
    deliver_alerts(settings, at(1))
    assert end_alert(reports, make_failure(5, "resolved")) is not None
    for minutes in (6, 7, 8):
        deliver_alerts(settings, at(minutes))
    assert [alert["endsAt"] for alert in alertmanager.alerts] == [
        "2024-03-06T22:01:00+00:00",
        "2024-03-05T22:05:00+00:00",
    ]
    assert end_alert(reports, make_failure(9, "resolved")) is None  # ended already


def test_a_success_without_a_failure_writes_nothing(settings: DeliverAlertsSettings, make_failure: MakeFailure) -> None:
    assert end_alert(settings.paths.reports, make_failure(0, "resolved")) is None
    assert not events_folder(settings.paths.reports).exists()


def test_the_end_of_what_nobody_was_told_of_is_no_news(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    write_event(settings.paths.reports, make_failure(0))
    end_alert(settings.paths.reports, make_failure(5, "resolved"))
    assert deliver_alerts(settings, at(6)).waiting == 0
    assert alertmanager.posts == []


def test_another_stage_is_another_alert(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    reports = settings.paths.reports
    write_event(reports, make_failure(0))
    write_event(reports, make_failure(0, plan="full_strategy", stage="build_features"))
    end_alert(reports, make_failure(1, "resolved"))
    deliver_alerts(settings, at(2))
    assert [alert["labels"]["stage"] for alert in alertmanager.alerts] == ["build_features"]


def test_an_event_told_twice_on_one_occasion_stays_one_file(
    settings: DeliverAlertsSettings, make_failure: MakeFailure
) -> None:
    paths = {write_event(settings.paths.reports, make_failure(message=text)) for text in ("first", "second")}
    (event,), unreadable = read_events(settings.paths.reports)
    assert (event.message, len(paths), unreadable) == ("first", 1, [])


def test_an_outage_is_tried_again_at_once(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    alertmanager.statuses = [503, 500]
    write_event(settings.paths.reports, make_failure())
    assert deliver_alerts(settings, at(1)).failure is None
    assert len(alertmanager.posts) == 3


def test_a_refusal_is_not_tried_again_at_once(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    alertmanager.statuses = [400]
    write_event(settings.paths.reports, make_failure())
    record = deliver_alerts(settings, at(1))
    assert len(alertmanager.posts) == 1
    assert (record.waiting, record.failure) == (
        1,
        f"Alertmanager at {alertmanager.url} refuses the alerts: 400 bad labels",
    )


def test_what_could_not_be_told_is_recorded_and_goes_out_later(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    down = _sent_to(settings, alertmanager_url=f"http://127.0.0.1:{_closed_port()}")
    write_event(settings.paths.reports, make_failure())
    for minutes in (1, 2):
        deliver_alerts(down, at(minutes))
    record = read_record(settings.paths.reports)
    assert (record.waiting, record.failures, record.failing_since, record.told) == (1, 2, at(1), ())
    assert "does not answer" in (record.failure or "")
    assert _metrics(settings) == {"trading_alerts_undelivered": 1}
    after = deliver_alerts(settings, at(3))
    assert (after.waiting, after.failures, after.failing_since, after.failure) == (0, 0, None, None)
    assert len(alertmanager.alerts) == 1
    assert _metrics(settings)["trading_alerts_undelivered"] == 0


def test_a_server_that_never_answers_is_left(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    alertmanager.hold.clear()
    write_event(settings.paths.reports, make_failure())
    record = deliver_alerts(_sent_to(settings, timeout_seconds=0.2), at(1))
    assert record.waiting == 1
    assert "no answer within 0.2 s" in (record.failure or "") or "timed out" in (record.failure or "")


ODD_ANSWERS = {
    "no_http": b"SSH-2.0-server\r\n\r\n",
    "nothing": b"",
    "cut_refusal": b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\nzz",
}


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_an_odd_answer_is_a_failure_on_record(
    answer: bytes, settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure
) -> None:
    alertmanager.statuses = [answer] * settings.delivery.tries
    write_event(settings.paths.reports, make_failure())
    found = run_once(settings)
    assert (found.exit_status, len(alertmanager.posts)) == (4, settings.delivery.tries)
    record = read_record(settings.paths.reports)
    assert (record.waiting, record.failures) == (1, 1)
    assert str(record.failure).startswith("Alertmanager at ")


def test_a_fault_that_nobody_thought_of_is_on_record(
    settings: DeliverAlertsSettings, make_failure: MakeFailure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr("monitoring.alerts.deliver_alerts.post_alerts", fail)
    monkeypatch.setattr("monitoring.alerts.deliver_alerts.retrain_on_drift", fail)
    write_event(settings.paths.reports, make_failure())
    found = run_once(settings)
    assert found.faults == ("alerts that wait: 1; RuntimeError: odd", "RuntimeError: odd")
    assert (found.exit_status, read_record(settings.paths.reports).failure) == (1, "RuntimeError: odd")


def test_the_end_of_what_may_have_been_told_is_told(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    once = _sent_to(settings, tries=1)
    alertmanager.statuses = [b""]  # taken, and no answer
    write_event(settings.paths.reports, make_failure())
    assert deliver_alerts(once, at(1)).waiting == 1
    end_alert(settings.paths.reports, make_failure(2, "resolved"))
    record = deliver_alerts(once, at(3))
    assert (record.waiting, record.failure) == (0, None)
    assert [alert["endsAt"] for alert in alertmanager.alerts][1:] == [at(2).isoformat()]


def test_what_may_have_been_told_is_told_again_at_once(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    alertmanager.statuses = [b""]
    write_event(settings.paths.reports, make_failure())
    for minutes in (1, 1.1, 1.2):
        record = deliver_alerts(_sent_to(settings, tries=1), at(minutes))
    assert len(alertmanager.posts) == 2
    assert [alert.event_file for alert in record.told] == [make_failure().file_name]


def test_a_failure_is_over_when_nothing_is_left_to_tell(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    alertmanager.statuses = [400]
    write_event(settings.paths.reports, make_failure())
    deliver_alerts(settings, at(1))
    end_alert(settings.paths.reports, make_failure(2, "resolved"))
    record = deliver_alerts(settings, at(3))
    assert (record.waiting, record.failing_since, record.failures, record.failure) == (0, None, 0, None)


def test_no_proxy_gets_what_is_for_this_machine(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At, monkeypatch: Any
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{_closed_port()}")
    monkeypatch.setattr("urllib.request._opener", None)  # it keeps the proxies of its first use
    write_event(settings.paths.reports, make_failure())
    assert deliver_alerts(settings, at(1)).failure is None
    assert len(alertmanager.posts) == 1


def test_a_failed_renewal_is_no_waiting_alert(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    write_event(settings.paths.reports, make_failure())
    deliver_alerts(settings, at(1))
    alertmanager.statuses = [400]
    record = deliver_alerts(settings, at(3))
    assert (record.waiting, record.failures) == (0, 1)


def test_a_file_without_an_event_is_counted_and_keeps_no_other_back(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure
) -> None:
    reports = settings.paths.reports
    write_event(reports, make_failure())
    (events_folder(reports) / "broken.json").write_text('{"event": "stage_fai')
    found = run_once(settings)
    assert (found.exit_status, len(alertmanager.alerts)) == (3, 1)
    assert found.faults == ("no alert event: broken.json; mend: remove them from reports/alerts",)
    assert _metrics(settings)["trading_alerts_undelivered"] == 1


def test_a_lost_record_tells_all_again(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    write_event(settings.paths.reports, make_failure())
    deliver_alerts(settings, at(1))
    record_path(settings.paths.reports).write_text("{")
    deliver_alerts(settings, at(1.1))
    assert len(alertmanager.posts) == 2
    assert len(read_record(settings.paths.reports).told) == 1


def test_a_clock_that_was_put_back_makes_no_invalid_alert(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, at: At
) -> None:
    write_event(settings.paths.reports, make_failure(60 * 48))
    deliver_alerts(settings, at(0))
    (alert,) = alertmanager.alerts
    assert alert["startsAt"] <= alert["endsAt"]


@pytest.fixture
def tell_drift(workspace: Path, at: At) -> Callable[[float, str, bool], None]:
    """Writes a drift event: minutes after the start, its status, whether it was pushed to Prometheus too."""

    def tell(minutes: float, status: str, pushed: bool) -> None:
        values = {
            **{"event": "drift_found", "status": status, "at": at(minutes), "run_date": None, "message": "far off"},
            **{"log_url": "", "drift_subject": "features", "check": f"c{minutes:g}", "asks_retraining": False},
            "pushed": pushed,
        }
        write_event(workspace / "reports", DriftFoundEvent.model_validate(values))

    return tell


def test_drift_is_the_same_alert_as_that_of_the_rule(
    settings: DeliverAlertsSettings, alertmanager: Any, tell_drift: Callable[..., None], at: At
) -> None:
    rules = yaml.safe_load((rules_folder() / "data.yaml").read_text())["groups"][0]["rules"]
    (rule,) = [rule for rule in rules if rule["alert"] == "DriftFound"]
    tell_drift(0, "firing", False)
    deliver_alerts(settings, at(1))
    (alert,) = alertmanager.alerts
    assert alert["labels"] == {"alertname": rule["alert"], **rule["labels"], "subject": "features"}


def test_what_a_rule_raises_is_left_to_it(
    settings: DeliverAlertsSettings, alertmanager: Any, tell_drift: Callable[..., None], at: At
) -> None:
    tell_drift(0, "firing", True)
    assert deliver_alerts(settings, at(1)).waiting == 0
    assert alertmanager.posts == []


def test_what_began_here_ends_here_also_where_a_rule_has_taken_over(
    settings: DeliverAlertsSettings, alertmanager: Any, tell_drift: Callable[..., None], at: At
) -> None:
    tell_drift(0, "firing", False)
    deliver_alerts(settings, at(1))
    tell_drift(2, "firing", True)
    deliver_alerts(settings, at(9))
    assert len(alertmanager.posts) == 1
    tell_drift(10, "resolved", True)
    deliver_alerts(settings, at(11))
    assert [alert["endsAt"] for alert in alertmanager.alerts][1:] == [at(10).isoformat()]


def test_a_watch_goes_on_after_a_failure_and_tells_it_once(
    settings: DeliverAlertsSettings, alertmanager: Any, make_failure: MakeFailure, caplog: pytest.LogCaptureFixture
) -> None:
    alertmanager.statuses = [400, 400, 400]
    write_event(settings.paths.reports, make_failure())
    ended = threading.Event()
    quick = _sent_to(settings, watch_interval_seconds=0.01)
    thread = threading.Thread(target=watch, args=(quick, ended))
    with caplog.at_level(logging.WARNING, "monitoring"):
        thread.start()
        while thread.is_alive() and len(alertmanager.posts) < 4:
            ended.wait(0.01)
        ended.set()
        thread.join()
    assert len(alertmanager.posts) == 4
    assert [record.message.count("400 bad labels") for record in caplog.records] == [1]


@pytest.mark.parametrize("is_up", [True, False])
def test_the_command_tells_by_its_exit_status_whether_something_waits(
    is_up: bool,
    workspace: Path,
    alertmanager: Any,
    make_failure: MakeFailure,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_event(workspace / "reports", make_failure())
    url = alertmanager.url if is_up else f"http://127.0.0.1:{_closed_port()}"
    overrides = [f"paths.workspace='{workspace}'", f"delivery.alertmanager_url='{url}'", "retraining.enabled=false"]
    assert main(overrides) == (0 if is_up else 4)
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert ["alerts that wait: 1; Alertmanager at" in line for line in told] == ([] if is_up else [True])
