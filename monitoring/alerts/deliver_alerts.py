"""Deliver the alert events in reports/alerts to Alertmanager, and let a drift alert start the strategy.

Run: ``python -m monitoring.alerts.deliver_alerts [--watch] [key=value ...]``

Airflow starts it when a task fails; `make services-up` keeps one with ``--watch``. What cannot be delivered stays, is
counted in trading_alerts_undelivered and in reports/alert_delivery/delivery.json, and goes out at the next delivery.
Exit status: 0 all is done, 2 no login to Airflow, 3 a file holds no event, 4 something waits for a service.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from experiment_tracking.metric_samples import Sample
from experiment_tracking.metric_sinks import report_metrics
from MLOps import metric_catalogue as catalogue
from MLOps.alert_events import AlertEvent, read_events
from MLOps.errors import DataError, PlatformError, ServiceUnavailableError, StorageError
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from MLOps.settings.compose import compose_settings
from monitoring.alerts.alertmanager_client import LostAnswerError, alert_body, post_alerts
from monitoring.alerts.delivery_record import DeliveryRecord, only_deliverer, read_record, write_record
from monitoring.alerts.due_alerts import as_told, count_waiting, due_alerts, perhaps_told
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
        names = tuple(path.name for path in unreadable)
        after = _tell(settings, events, before, now).model_copy(update={"unreadable": names})
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
        return before.model_copy(update={"waiting": 0, "failing_since": None, "failures": 0, "failure": None})
    records = {event.labels: as_told(event, told.get(event.labels), now) for event in due}
    fires_for = timedelta(hours=delivery.fires_hours)
    url = delivery.alertmanager_url or f"http://127.0.0.1:{settings.ports.alertmanager}"
    try:
        post_alerts(url, [alert_body(event, records[event.labels], fires_for) for event in due], delivery)
    except LostAnswerError as error:
        perhaps = before.model_copy(update={"told": tuple(perhaps_told(told, records).values())})
        return _failed(perhaps, str(error), count_waiting(events, told), now)
    except ServiceUnavailableError as error:
        return _failed(before, str(error), count_waiting(events, told), now)
    except Exception as error:  # noqa: BLE001 - whatever keeps the alerts back must be on record
        return _failed(before, _line(error), count_waiting(events, told), now)
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
    return before.model_copy(
        update={
            "waiting": waiting,
            "failing_since": before.failing_since or now,
            "failures": before.failures + 1,
            "failure": failure,
        }
    )


def _report(settings: DeliverAlertsSettings, record: DeliveryRecord) -> None:
    samples = [Sample(catalogue.ALERTS_UNDELIVERED, record.waiting + len(record.unreadable))]
    if record.last_told_at is not None:
        samples.append(Sample(catalogue.ALERTS_LAST_DELIVERY, record.last_told_at.timestamp()))
    report_metrics(settings, {_NAME: samples})


@dataclass(frozen=True)
class Pass:
    """What one pass over the events came to.

    Attributes
    ----------
    exit_status : int
        0 if nothing is left to do.
    faults : tuple of str
        What is left, and why; a line each.
    """

    exit_status: int
    faults: tuple[str, ...]


def run_once(settings: DeliverAlertsSettings) -> Pass:
    """Deliver, then let drift start what it may; neither keeps the other from being done."""
    faults, status = [], 0
    for work in (_deliver, _retrain):
        try:
            work(settings)
        except TimeoutError as error:
            faults.append(f"another process is at it: {error}")
        except PlatformError as error:
            faults.append(str(error))
            status = error.exit_code
        except OSError as error:  # a full disk, as a rule
            faults.append(_line(error))
            status = StorageError.exit_code
        except Exception as error:  # noqa: BLE001 - the watch must outlive what nobody thought of
            faults.append(_line(error))
            status = PlatformError.exit_code
    return Pass(status, tuple(faults))


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _deliver(settings: DeliverAlertsSettings) -> None:
    record = deliver_alerts(settings, datetime.now(UTC))
    if record.waiting:
        raise ServiceUnavailableError(f"alerts that wait: {record.waiting}; {record.failure}")
    if record.unreadable:
        raise DataError(f"no alert event: {', '.join(record.unreadable)}", mend="remove them from reports/alerts")


def _retrain(settings: DeliverAlertsSettings) -> None:
    retrain_on_drift(settings, datetime.now(UTC))


def watch(settings: DeliverAlertsSettings, ended: threading.Event) -> None:
    """Deliver again and again until `ended` is set; a fault that lasts is told once."""
    told: tuple[str, ...] = ()
    while not ended.is_set():
        found = run_once(settings).faults
        _warn(fault for fault in found if fault not in told)
        told = found
        ended.wait(settings.delivery.watch_interval_seconds)


def _warn(faults: Iterable[str]) -> None:
    for fault in faults:
        _LOG.warning("%s: %s", _NAME, fault)


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
        found = run_once(settings)
        _warn(found.faults)
        return found.exit_status
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    watch(settings, ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())
