"""May a retraining start now? A drifting feed tells of drift every day; it must not retrain forever."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from MLOps.settings.alert_delivery import RetrainingSettings

_DAY = timedelta(hours=24)


def refusal(asked_at: Sequence[datetime], now: datetime, limits: RetrainingSettings) -> str | None:
    """Why no retraining may start now; None if one may.

    Parameters
    ----------
    asked_at : sequence of datetime
        When earlier ones were asked for, in any order. One in the future, by a clock that was put back since, counts
        as just now.
    now : datetime
        With a time zone.
    limits : RetrainingSettings
        Cool-down, and budget of any 24 hours.
    """
    ages = [max(now - moment, timedelta(0)) for moment in asked_at]
    spent = sum(age < _DAY for age in ages)
    if spent >= limits.daily_budget:
        return f"{spent} in the last 24 hours; retraining.daily_budget={limits.daily_budget}"
    cooldown = timedelta(hours=limits.cooldown_hours)
    if ages and min(ages) < cooldown:
        hours = min(ages) / timedelta(hours=1)
        return f"the last was {hours:.1f} hours ago; retraining.cooldown_hours={limits.cooldown_hours:g}"
    return None
