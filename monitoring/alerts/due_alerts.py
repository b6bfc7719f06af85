"""Which alerts are to be told now: the last news of each, unless it was told already."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from MLOps.alert_events import AlertEvent, Labels, newest_by_identity
from MLOps.settings.stage_settings import Settings


class ToldAlert(Settings):
    """What Alertmanager was told last of one alert."""

    labels: Labels = Field(description="The alert's identity.")
    event_file: str = Field(description="Name of the event's file; empty where no answer told whether it arrived.")
    status: Literal["firing", "resolved"] = Field(description="Whether it fired.")
    fires_since: AwareDatetime = Field(description="When it began.")
    told_at: AwareDatetime = Field(description="When it was told last.")


def due_alerts(
    events: Iterable[AlertEvent], told: Mapping[Labels, ToldAlert], now: datetime, renew_after: timedelta
) -> list[AlertEvent]:
    """The alerts to tell.

    Parameters
    ----------
    events : iterable of AlertEvent
        The oldest first; only the last of each alert counts. Of one that a rule of Prometheus raises, only an end is
        told, for it may have been told from here that it began.
    told : mapping
        What was told before, by identity.
    now : datetime
        With a time zone.
    renew_after : timedelta
        What still fires is told again after so long.
    """
    return [
        event
        for labels, event in newest_by_identity(events).items()
        if _is_news(event, told.get(labels)) or _is_to_renew(event, told.get(labels), now, renew_after)
    ]


def count_waiting(events: Iterable[AlertEvent], told: Mapping[Labels, ToldAlert]) -> int:
    """How many alerts have news that was not told yet."""
    return sum(_is_news(event, told.get(labels)) for labels, event in newest_by_identity(events).items())


def as_told(event: AlertEvent, before: ToldAlert | None, now: datetime) -> ToldAlert:
    """The record of an alert once it is told."""
    goes_on = before is not None and before.status == "firing"
    return ToldAlert(
        labels=event.labels,
        event_file=event.file_name,
        status=event.status,
        fires_since=before.fires_since if before is not None and goes_on else event.at,
        told_at=now,
    )


def perhaps_told(told: Mapping[Labels, ToldAlert], tried: Mapping[Labels, ToldAlert]) -> dict[Labels, ToldAlert]:
    """What may have been told after a delivery without an answer: a beginning stays due, and so will its end."""
    begun = {
        labels: alert.model_copy(update={"event_file": ""})
        for labels, alert in tried.items()
        if alert.status == "firing" and (labels not in told or told[labels].status == "resolved")
    }
    return {**told, **begun}


def _is_news(event: AlertEvent, told: ToldAlert | None) -> bool:
    if event.status == "resolved":  # the end of what nobody was told of is no news
        return told is not None and told.status == "firing"
    return not event.is_raised_by_a_rule and (told is None or told.event_file != event.file_name)


def _is_to_renew(event: AlertEvent, told: ToldAlert | None, now: datetime, renew_after: timedelta) -> bool:
    if told is None or event.status == "resolved" or event.is_raised_by_a_rule:
        return False
    return now - told.told_at >= renew_after
