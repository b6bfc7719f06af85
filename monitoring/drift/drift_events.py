"""What a drift check found as alert events, which are delivered and may start a retraining."""

import urllib.request
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from experiment_tracking.find_gateway import gateway_to_push
from experiment_tracking.metric_sinks import done_within
from MLOps.alert_events import DriftFoundEvent, DriftNotCheckedEvent, end_alert, write_event
from MLOps.settings.drift import DriftSettings
from monitoring.drift.verdict import Status, SubjectDrift, coin_of, name_of
from monitoring.service_requests import REQUEST_ERRORS

_Event = DriftFoundEvent | DriftNotCheckedEvent
_GONE = "nothing is there to be checked any more"
_ENDS: dict[type[_Event], dict[Status | None, str]] = {
    DriftFoundEvent: {Status.NO_DRIFT: "no drift any more", None: _GONE},
    DriftNotCheckedEvent: {Status.NO_DRIFT: "checked again", Status.DRIFT: "checked again", None: _GONE},
}
"""What ends each alert, and how that is told; None: a subject that is wanted and not there."""
_NAMES: dict[type[_Event], str] = {DriftFoundEvent: "drift_found", DriftNotCheckedEvent: "drift_not_checked"}
_OF_ANOTHER_STRATEGY = {"timing_observation"}
"""Subjects whose drift a training of the stock strategy, which is what may be asked for, would not mend."""
_BEGINS: dict[type[_Event], Status] = {DriftFoundEvent: Status.DRIFT, DriftNotCheckedEvent: Status.NOT_CHECKED}


def write_drift_events(settings: DriftSettings, check: str, subjects: Iterable[SubjectDrift]) -> None:
    """Tell which subjects drifted or could not be checked, and when either is over.

    Parameters
    ----------
    settings : DriftSettings
        Of the check. What it wants and was not there, as the actions of a model that was not trained, has no alert.
    check : str
        Key of its output: the same check told again is no news.
    subjects : iterable of SubjectDrift
        Drift of one that could not be checked goes on.
    """
    reports, by_subject = settings.paths.reports, {found.subject: found for found in subjects}
    pushed = _reaches_the_rules(settings)
    for subject in settings.subjects:
        found = by_subject.get(subject)
        status = None if found is None else found.status
        about = {
            "check": check,
            "drift_subject": found.name if found else name_of(subject, coin_of(subject, settings)),
            "pushed": pushed,
            "run_date": settings.run_date,
        }
        may_ask = settings.ask_for_retraining and subject not in _OF_ANOTHER_STRATEGY
        for kind, ends in _ENDS.items():
            if found is not None and status is _BEGINS[kind]:
                write_event(reports, _event(kind, about, may_ask, "firing", "; ".join(found.reasons)))
            elif status in ends:
                end_alert(reports, _event(kind, about, may_ask, "resolved", ends[status]))


def _event(kind: type[_Event], about: Mapping[str, object], may_ask: bool, status: str, message: str) -> _Event:
    asks = {"asks_retraining": may_ask} if kind is DriftFoundEvent else {}
    told = {"event": _NAMES[kind], "status": status, "message": message, "log_url": ""}
    return kind.model_validate({"at": datetime.now(UTC), **about, **told, **asks})


def _reaches_the_rules(settings: DriftSettings) -> bool:
    """Whether the figures of this check will be pushed, as far as can be known before: a Pushgateway answers now."""
    limit = settings.metrics.timeout_seconds
    if not (url := gateway_to_push(settings, limit)):
        return False
    try:
        # By the way that the push itself takes, through a proxy where the environment names one.
        done_within(limit, lambda: urllib.request.urlopen(f"{url}/-/ready", timeout=limit).close())
    except (*REQUEST_ERRORS, ValueError):
        return False
    return True
