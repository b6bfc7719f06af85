"""New drift alerts ask Airflow for one run of the strategy, if cool-down and budget allow it.

The record is written before Airflow is asked, so that no crash and no lost answer spends the budget twice. What
is refused is not made up for: the next check tells of drift again if it lasts.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from MLOps.alert_events import DriftFoundEvent, newest_by_identity, read_events
from MLOps.errors import ServiceUnavailableError
from MLOps.settings.alert_delivery import DeliverAlertsSettings
from monitoring.retraining.airflow_api import UnknownOutcomeError, open_airflow
from monitoring.retraining.retraining_budget import refusal
from monitoring.retraining.retraining_record import Answer, RetrainingRecord, only_asker, read_answers, write_answers

_LOG = logging.getLogger(__name__)


def retrain_on_drift(settings: DeliverAlertsSettings, now: datetime) -> Answer | None:
    """Answer the drift alerts that are new; None if there are none.

    Raises
    ------
    PlatformError
        If Airflow cannot be asked, or the record cannot be read; the alerts stay new, and are tried again until
        they are too old.
    """
    reports, retraining = settings.paths.reports, settings.retraining
    if not retraining.enabled:
        return None
    with only_asker(reports, 2 * retraining.timeout_seconds):
        record = read_answers(reports)
        drift = _new_drift(settings, record, now)
        if not drift:
            return None
        files = tuple(event.file_name for event in drift)
        if why := refusal(record.asked_at, now, retraining):
            answer = Answer(at=now, events=files, outcome="refused", told=why)
            write_answers(reports, (*record.answers, answer))
        else:
            answer = _ask(settings, record, drift, Answer(at=now, events=files, outcome="asking", told=""))
    _LOG.info("drift of %s: retraining %s (%s)", _subjects(drift), answer.outcome, answer.told)
    return answer


def _new_drift(settings: DeliverAlertsSettings, record: RetrainingRecord, now: datetime) -> list[DriftFoundEvent]:
    """Drift that asks for it, lasts, is not too old, and was not answered."""
    events, _ = read_events(settings.paths.reports)
    oldest = now - timedelta(hours=settings.retraining.max_age_hours)
    return [
        event
        for event in newest_by_identity(events).values()
        if isinstance(event, DriftFoundEvent)
        and event.asks_retraining
        and event.status == "firing"
        and event.at >= oldest
        and event.file_name not in record.answered
    ]


def _ask(
    settings: DeliverAlertsSettings, record: RetrainingRecord, drift: Sequence[DriftFoundEvent], asking: Answer
) -> Answer:
    """Update the asset; a clear no is taken out of the record again, so that it may be asked anew."""
    reports, retraining = settings.paths.reports, settings.retraining
    airflow = open_airflow(settings)
    asset = airflow.asset_id(retraining.asset)
    dates = [event.run_date.isoformat() for event in drift if event.run_date]
    extra = {"reason": f"drift of {_subjects(drift)}", **({"run_date": max(dates)} if dates else {})}
    write_answers(reports, (*record.answers, asking))
    try:
        number = airflow.update_asset(asset, extra)
    except UnknownOutcomeError as error:
        unknown = asking.model_copy(update={"told": str(error)})
        write_answers(reports, (*record.answers, unknown))
        return unknown
    except ServiceUnavailableError:
        write_answers(reports, record.answers)
        raise
    started = asking.model_copy(update={"outcome": "started", "told": f"event {number} of asset {retraining.asset}"})
    write_answers(reports, (*record.answers, started))
    return started


def _subjects(drift: Sequence[DriftFoundEvent]) -> str:
    return ", ".join(sorted(event.drift_subject for event in drift))
