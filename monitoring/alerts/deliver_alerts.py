"""Deliver the alert events in reports/alerts to Alertmanager, and let a drift alert start the strategy.

Run: ``python -m monitoring.alerts.deliver_alerts [--watch] [key=value ...]``

Airflow starts it when a task fails; `make services-up` keeps one with ``--watch``. What cannot be delivered stays, is
counted in trading_alerts_undelivered and in reports/alert_delivery/delivery.json, and goes out at the next delivery.
Exit status: 0 all is delivered, 4 something waits.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from experiment_tracking.metric_sinks import Sample, report_metrics
from MLOps import metric_catalogue as catalogue
from MLOps.alert_events import AlertEvent, read_events
from MLOps.errors import PlatformError, ServiceUnavailableError
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from MLOps.settings.compose import compose_settings
from monitoring.alerts.alertmanager_client import alert_body, post_alerts
from monitoring.alerts.delivery_record import DeliveryRecord, only_deliverer, read_record, write_record
from monitoring.alerts.due_alerts import as_told, count_waiting, due_alerts
from monitoring.retraining.retrain_on_drift import retrain_on_drift

_LOG = logging.getLogger(__name__)
_NAME = "deliver_alerts"


def deliver_alerts(settings: DeliverAlertsSettings, now: datetime) -> DeliveryRecord:
    """Tell Alertmanager what is due, and record what came of it.

    Returns
    -------
    DeliveryRecord
        The state after it; `waiting` is 0 if all is told.

    Raises
    ------
    TimeoutError
        If another process is delivering for longer than a delivery may take.
    """
    reports, delivery = settings.paths.reports, settings.delivery
    with only_deliverer(reports, 2 * delivery.timeout_seconds):
        before = read_record(reports)
        events, unreadable = read_events(reports)
        after = _tell(settings, events, before, now).model_copy(update={"unreadable": unreadable})
        if after != before:
            write_record(reports, after)
    _report(settings, after)
    return after


def _tell(
    settings: DeliverAlertsSettings, events: Sequence[AlertEvent], before: DeliveryRecord, now: datetime
) -> DeliveryRecord:
    delivery, told = settings.delivery, {alert.labels: alert for alert in before.told}
    due = due_alerts(events, told, now, timedelta(seconds=delivery.renew_seconds))
    if not due:
        return before.model_copy(update={"waiting": 0})
    records = {event.labels: as_told(event, told.get(event.labels), now) for event in due}
    fires_for = timedelta(hours=delivery.fires_hours)
    url = delivery.alertmanager_url or f"http://127.0.0.1:{settings.ports.alertmanager}"
    try:
        post_alerts(url, [alert_body(event, records[event.labels], fires_for) for event in due], delivery)
    except ServiceUnavailableError as error:
        return _failed(before, str(error), count_waiting(events, told), now)
    return DeliveryRecord(
        told=tuple((told | records).values()),
        waiting=0,
        unreadable=before.unreadable,
        last_told_at=now,
        failing_since=None,
        failures=0,
        failure=None,
    )


def _failed(before: DeliveryRecord, failure: str, waiting: int, now: datetime) -> DeliveryRecord:
    """The state after a failure; a row of failures is one warning, not one each time that a watch tries."""
    if before.failing_since is None:
        _LOG.warning("%d alerts wait: %s", waiting, failure)
    return before.model_copy(
        update={
            "waiting": waiting,
            "failing_since": before.failing_since or now,
            "failures": before.failures + 1,
            "failure": failure,
        }
    )


def _report(settings: DeliverAlertsSettings, record: DeliveryRecord) -> None:
    samples = [Sample(catalogue.ALERTS_UNDELIVERED, record.waiting + record.unreadable)]
    if record.last_told_at is not None:
        samples.append(Sample(catalogue.ALERTS_LAST_DELIVERY, record.last_told_at.timestamp()))
    report_metrics(settings, _NAME, samples)


def run_once(settings: DeliverAlertsSettings) -> int:
    """Deliver, then let drift start what it may; returns the exit status."""
    status = 0
    try:
        record = deliver_alerts(settings, datetime.now(UTC))
        if record.waiting or record.unreadable:
            status = ServiceUnavailableError.exit_code
    except TimeoutError as error:
        _LOG.warning("another process is delivering: %s", error)
    try:
        retrain_on_drift(settings, datetime.now(UTC))
    except PlatformError as error:
        _LOG.warning("no retraining: %s", error)
        status = error.exit_code
    return status


def watch(settings: DeliverAlertsSettings, ended: threading.Event) -> None:
    """Deliver again and again until `ended` is set; whatever goes wrong once is told and does not end it."""
    while not ended.is_set():
        try:
            run_once(settings)
        except Exception:
            _LOG.exception("a delivery failed")
        ended.wait(settings.delivery.watch_interval_seconds)


def read_settings(overrides: Sequence[str]) -> DeliverAlertsSettings:
    """The settings of delivery."""
    return compose_settings(DeliverAlertsSettings, _NAME, overrides)


def main(argv: Sequence[str] | None = None) -> int:
    """Deliver from the command line."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watch", action="store_true", help="go on until ended by a signal")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that lie over the YAML")
    arguments = parser.parse_intermixed_args(argv)
    try:
        settings = read_settings(arguments.overrides)
    except PlatformError as error:
        _LOG.error("%s: %s", _NAME, error)
        return error.exit_code
    if not arguments.watch:
        return run_once(settings)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    watch(settings, ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())
