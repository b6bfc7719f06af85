"""How often drift may start the strategy."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.deliver_alerts import read_settings
from monitoring.retraining.retraining_budget import refusal

NOW = datetime(2024, 3, 5, 22, 0, tzinfo=UTC)


_LIMITS = read_settings(["retraining.cooldown_hours=6", "retraining.daily_budget=2"]).retraining


@pytest.mark.parametrize(
    ("hours_ago", "why"),
    [
        ([], None),
        ([6], None),
        ([5.9], "the last was 5.9 hours ago; retraining.cooldown_hours=6"),
        ([23.9, 6], "2 in the last 24 hours; retraining.daily_budget=2"),
        ([24, 6], None),
        ([-3], "the last was 0.0 hours ago; retraining.cooldown_hours=6"),  # the clock was put back since
        ([30, 24.1], None),
    ],
)
def test_the_cooldown_and_the_budget(hours_ago: list[float], why: str | None) -> None:
    assert refusal([NOW - timedelta(hours=age) for age in hours_ago], NOW, _LIMITS) == why


@given(st.lists(st.integers(0, 240), max_size=60))
def test_whatever_the_feed_tells_no_day_has_more_than_its_budget(gaps_minutes: list[int]) -> None:
    limits = _LIMITS.model_copy(update={"cooldown_hours": 1.0, "daily_budget": 3})
    asked: list[datetime] = []
    moment = NOW
    for gap in gaps_minutes:
        moment += timedelta(minutes=gap)
        if refusal(asked, moment, limits) is None:
            asked.append(moment)
    for began in asked:
        within_a_day = [each for each in asked if began <= each < began + timedelta(hours=24)]
        assert len(within_a_day) <= 3
    assert all(later - earlier >= timedelta(hours=1) for earlier, later in itertools.pairwise(asked))


def test_no_budget_means_never() -> None:
    none = _LIMITS.model_copy(update={"daily_budget": 0})
    assert refusal([], NOW, none) == "0 in the last 24 hours; retraining.daily_budget=0"
