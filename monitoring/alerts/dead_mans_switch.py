"""Alarm when the heartbeat of alerting stops: nothing that is down can say so itself."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from monitoring.alerts.notification import Notification, SentAlert

ALERT = "AlertingSilent"
_LABELS = {"alertname": ALERT, "severity": "critical"}
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


class DeadMansSwitch:
    """Watches the heartbeat that the alert Watchdog sends through Prometheus and Alertmanager.

    Parameters
    ----------
    limit : timedelta
        Without a heartbeat for so long, alerting counts as silent; the first is waited for as long.
    tell : callable
        Takes the alarm, and its end.
    now : callable
        The time, UTC.
    silent_since : datetime or None
        Where an alarm that was raised before the start still stands: since when.
    """

    def __init__(
        self,
        limit: timedelta,
        tell: Callable[[Notification], None],
        now: Callable[[], datetime],
        silent_since: datetime | None = None,
    ) -> None:
        self._limit, self._tell, self._now = limit, tell, now
        self._lock = threading.Lock()
        self._last_beat = now()
        self._silent_since = silent_since

    @property
    def silence(self) -> timedelta:
        """Time since the last heartbeat, or since the start if there was none."""
        return self._now() - self._last_beat

    @property
    def is_silent(self) -> bool:
        """Whether alerting counts as down."""
        return self._silent_since is not None

    def beat(self) -> None:
        """A heartbeat came; where alerting was silent, the alarm ends."""
        with self._lock:
            self._last_beat = self._now()
            if self._silent_since is not None:
                self._tell(_alarm("resolved", self._silent_since, self._last_beat, self._limit))
                self._silent_since = None

    def check(self) -> None:
        """Raise the alarm, once, if the heartbeat has stopped."""
        with self._lock:
            if self._silent_since is None and self.silence > self._limit:
                self._tell(_alarm("firing", self._last_beat, _NEVER, self._limit))
                self._silent_since = self._last_beat


def _alarm(status: str, since: datetime, until: datetime, limit: timedelta) -> Notification:
    alert = SentAlert(
        status=status,
        labels=_LABELS,
        annotations={
            "summary": "Alerting is silent",
            "description": f"No heartbeat came for {limit.total_seconds():.0f} s, so no other alert can be relied on.",
            "action": "See that Prometheus and Alertmanager run: make services-down, make services-up.",
        },
        starts_at=since,
        ends_at=until,
        fingerprint=ALERT,
    )
    return Notification(status=status, receiver="dead_mans_switch", group_key=ALERT, alerts=(alert,))
