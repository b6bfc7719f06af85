"""The alerts of a workspace: events that stages and Airflow wrote, and what Alertmanager sent to the receiver."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from MLOps.alert_events import AlertEvent, Labels, read_events
from monitoring.alerts.alert_journal import journal_path, read_journal
from monitoring.alerts.notification import ReceivedNotification, SentAlert


@dataclass(frozen=True)
class AlertNews:
    """That an alert began or ended.

    Attributes
    ----------
    labels : tuple of (str, str)
        What tells it from others.
    is_firing : bool
        Whether it began.
    at : datetime
        When.
    message, action : str
        What it is about, and what to do.
    log_url : str
        Where the log is shown; empty if nowhere.
    """

    labels: Labels
    is_firing: bool
    at: datetime
    message: str
    action: str
    log_url: str = ""

    @property
    def name(self) -> str:
        return dict(self.labels).get("alertname", "")

    @property
    def severity(self) -> str:
        return dict(self.labels).get("severity", "")

    @property
    def subject(self) -> str:
        """The other labels, for a person."""
        return ", ".join(value for name, value in self.labels if name not in {"alertname", "severity"})


@dataclass(frozen=True)
class AlertHistory:
    """All alerts.

    Attributes
    ----------
    news : tuple of AlertNews
        The newest first.
    unreadable : int
        Files of events that hold none.
    """

    news: tuple[AlertNews, ...]
    unreadable: int

    @property
    def firing(self) -> tuple[AlertNews, ...]:
        """The last news of each alert that fires, the newest first."""
        last = {news.labels: news for news in reversed(self.news)}
        return tuple(news for news in self.news if news.is_firing and last[news.labels] is news)


def read_alerts(reports: Path) -> AlertHistory:
    """Every alert that the workspace tells of; one that an event told is not told again by its notification."""
    events, unreadable = read_events(reports)
    told = [_of_event(event) for event in events]
    known = {(news.labels, news.is_firing) for news in told}
    received = _sent_news(read_journal(journal_path(reports)))
    told += [news for news in received if (news.labels, news.is_firing) not in known]
    return AlertHistory(tuple(sorted(told, key=lambda news: news.at, reverse=True)), len(unreadable))


def _sent_news(received: Iterable[ReceivedNotification]) -> Iterable[AlertNews]:
    """Each beginning and each end once, however often it was sent."""
    found = {}
    for each in received:
        for alert in each.notification.alerts:
            news = _of_sent(alert)
            found[news.labels, news.is_firing, news.at] = news
    return found.values()


def _of_event(event: AlertEvent) -> AlertNews:
    return AlertNews(event.labels, event.status == "firing", event.at, event.message, event.action, event.log_url)


def _of_sent(alert: SentAlert) -> AlertNews:
    is_firing, told = alert.status == "firing", alert.annotations
    return AlertNews(
        labels=tuple(sorted(alert.labels.items())),
        is_firing=is_firing,
        at=alert.starts_at if is_firing else alert.ends_at,
        message=told.get("summary") or told.get("description", ""),
        action=told.get("action", ""),
    )
