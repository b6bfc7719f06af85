"""Page of the alerts: what fires, what was told last, whether delivery works, and what drift came to."""

import streamlit as st

from MLOps.settings.dashboard import DashboardSettings
from monitoring.alerts.delivery_record import DeliveryRecord, read_record
from monitoring.dashboards.web.alert_history import AlertHistory, AlertNews, read_alerts
from monitoring.dashboards.web.render_blocks import (
    AlertBox,
    Cell,
    Chip,
    Column,
    Tile,
    Tone,
    alerts,
    empty,
    heading,
    notes,
    section,
    table,
    tiles,
)
from monitoring.dashboards.web.show_parts import read_or_say
from monitoring.dashboards.web.wording import count, moment
from monitoring.retraining.retraining_record import Answer, read_answers

_ANSWERS = (Column("When, UTC", "short"), Column("Retraining"), Column("Why"))
_OUTCOMES = {"started": Chip("started", "good"), "refused": Chip("refused", "note"), "asking": Chip("no answer", "bad")}


def show_alerts(settings: DashboardSettings) -> None:
    """What fires, then what was told last."""
    history, record = read_alerts(settings.paths.reports), read_record(settings.paths.reports)
    st.html(heading("Alerts", "From stages, Airflow and Prometheus, whether or not a service runs."))
    st.html(tiles([firing_tile(history), *_delivery_tiles(record)]))
    if record.failure:
        st.html(
            notes(
                [f"{count(record.failures, 'delivery', 'deliveries')} failed since the last one: {record.failure}"],
                "bad",
            )
        )
    if history.unreadable:
        st.html(notes([f"{count(history.unreadable, 'file')} in reports/alerts hold no event that can be read."]))
    if not history.news:
        st.html(empty("No alert yet", "Nothing was told of this workspace so far."))
    firing = history.firing
    if firing:
        st.html(section("Firing now", "Since when, UTC."))
        st.html(alerts([_box(news) for news in firing]))
    if earlier := [news for news in history.news if news not in firing]:
        st.html(section("Earlier", "The newest first; times are UTC."))
        st.html(alerts([_box(news) for news in earlier[: settings.dashboard.shown_alerts]]))
    retraining = read_or_say(lambda: read_answers(settings.paths.reports))
    if retraining is not None and retraining.answers:
        st.html(section("What drift came to", "A drift alert asks for a retraining, within a daily budget."))
        st.html(table(_ANSWERS, [_answer_row(answer) for answer in reversed(retraining.answers)]))


def firing_tile(history: AlertHistory) -> Tile:
    """How many alerts fire."""
    firing = history.firing
    critical = sum(news.severity == "critical" for news in firing)
    note = f"{critical} critical" if firing else "none fires"
    tone: Tone = "bad" if critical else "note" if firing else "good"
    return Tile("Alerts firing", str(len(firing)), note, tone)


def _delivery_tiles(record: DeliveryRecord) -> list[Tile]:
    waiting = Tile("Waiting for delivery", str(record.waiting), "events not told yet", "bad" if record.failure else "")
    told = record.last_told_at
    if told is None:
        return [waiting, Tile("Last delivery", "None", "to Alertmanager", "quiet")]
    return [waiting, Tile("Last delivery", f"{told:%H:%M}", f"{told:%d %b %Y}, UTC")]


def _box(news: AlertNews) -> AlertBox:
    severity: Tone = "bad" if news.severity == "critical" else "note"
    return AlertBox(
        name=news.name,
        state=(news.severity or "firing") if news.is_firing else "resolved",
        tone=severity if news.is_firing else "good",
        when=moment(news.at),
        subject=news.subject,
        message=news.message,
        action=news.action if news.is_firing else "",
        log_url=news.log_url,
    )


def _answer_row(answer: Answer) -> tuple[Cell, ...]:
    return moment(answer.at), (_OUTCOMES[answer.outcome],), answer.told
