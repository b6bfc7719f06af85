"""The receiver's page: what fires, what came last, and whether alerting itself lives."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from monitoring.alerts.alert_journal import firing_alerts
from monitoring.alerts.notification import ReceivedNotification

_SHOWN = 50


def render_alerts(received: Sequence[ReceivedNotification], is_silent: bool, silence: timedelta) -> str:
    """HTML of the page; what came from outside is escaped.

    Parameters
    ----------
    received : sequence of ReceivedNotification
        The oldest first; the newest 50 are shown.
    is_silent : bool
        Whether the heartbeat has stopped.
    silence : timedelta
        Time since the last heartbeat.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("alerts_page.html.j2").render(
        firing=firing_alerts(received),
        received=list(reversed(received[-_SHOWN:])),
        silent=is_silent,
        silence_seconds=round(silence.total_seconds()),
    )
