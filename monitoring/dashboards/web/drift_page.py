"""Page of drift: what the last check found of each subject, how it went over time, and which columns are the worst."""

from collections.abc import Mapping, Sequence

import streamlit as st

from MLOps.settings.dashboard import DashboardSettings
from monitoring.dashboards.web.drift_charts import SUBJECTS, draw_columns, draw_drift_over_time, label_of
from monitoring.dashboards.web.drift_history import SubjectCheck, by_subject, read_checks
from monitoring.dashboards.web.render_blocks import Tile, Tone, empty, heading, notes, section, tiles
from monitoring.dashboards.web.show_parts import offer_file, show_chart
from monitoring.dashboards.web.wording import count, percent
from monitoring.drift.verdict import Status

_FEWEST_POINTS = 2  # of a line over time
_WORDS: Mapping[Status, tuple[str, Tone]] = {
    Status.NO_DRIFT: ("No drift", "good"),
    Status.DRIFT: ("Drift", "bad"),
    Status.NOT_CHECKED: ("Could not be checked", "note"),
}


def show_drift(settings: DashboardSettings) -> None:
    """The state of every subject, and one of them in full."""
    checks = by_subject(read_checks(settings.paths.reports))
    st.html(
        heading(
            "Drift",
            "Whether the newest rows look like those before; thresholds are measured on each column's own past.",
        )
    )
    if not checks:
        st.html(
            empty(
                "Drift was not checked yet",
                "The state of features, news scores, model inputs and actions appears here.",
                "python monitoring/scripts/check_data_drift.py",
            )
        )
        return
    order = list(SUBJECTS)
    subjects = sorted(checks, key=lambda name: (order.index(checks[name][-1].found.subject), name))
    st.html(tiles([_tile(checks[subject][-1]) for subject in subjects]))
    answered = {subject: checks[subject] for subject in subjects if len(checks[subject]) >= _FEWEST_POINTS}
    if answered:
        st.html(section("Over time", "Share of columns that drifted, by the day of the newest row. Filled: drift."))
        show_chart(draw_drift_over_time(answered), "drift over time")
    chosen = subjects[0]
    if len(subjects) > 1:
        chosen = str(
            st.segmented_control(
                "Subject",
                subjects,
                default=subjects[0],
                format_func=lambda subject: label_of(checks[subject][-1].found),
                label_visibility="collapsed",
                required=True,
            )
        )
    _show_subject(checks[chosen][-1], settings.dashboard.shown_columns)


def drift_tile(checks: Mapping[str, Sequence[SubjectCheck]]) -> Tile:
    """All subjects in one tile: the worst of them."""
    last = [found[-1] for found in checks.values() if found]
    if not last:
        return Tile("Drift", "Not checked", "no check yet", "quiet")
    drifted, calm, unchecked = (_names(last, status) for status in (Status.DRIFT, Status.NO_DRIFT, Status.NOT_CHECKED))
    without_answer = f"could not be checked: {', '.join(unchecked)}"
    if drifted:
        return Tile("Drift", "Drift", "; ".join([", ".join(drifted), *([without_answer] if unchecked else [])]), "bad")
    if calm and unchecked:
        return Tile("Drift", "Partly checked", without_answer, "note")
    if unchecked:
        return Tile("Drift", "Could not check", ", ".join(unchecked), "note")
    return Tile("Drift", "No drift", f"{count(len(calm), 'subject')} checked", "good")


def _names(last: Sequence[SubjectCheck], status: Status) -> list[str]:
    labels = [label_of(each.found) for each in last if each.found.status is status]
    return [label[:1].lower() + label[1:] for label in labels]


def _tile(last: SubjectCheck) -> Tile:
    words, tone = _WORDS[last.found.status]
    note = "the reason stands below"
    if last.day is not None:
        note = last.found.drifted_columns
    return Tile(label_of(last.found), words, note, tone)


def _show_subject(last: SubjectCheck, shown: int) -> None:
    found = last.found
    if found.current and found.reference:
        st.html(
            section(
                f"{label_of(found)}, {found.current.first} to {found.current.last}",
                f"{found.current.rows} rows, against {found.reference.rows} from {found.reference.first} "
                f"to {found.reference.last}. {percent(found.missing_fraction)} of the current values are missing.",
            )
        )
    if found.reasons:
        st.html(notes(found.reasons, "bad" if found.status is Status.DRIFT else "note"))
    if found.notes:
        st.html(notes(found.notes, "quiet"))
    drawn = [column for column in found.columns if column.scores][:shown]
    if drawn:
        st.html(
            section("The worst columns", "Largest score as a multiple of its threshold; from 1 on a column drifts.")
        )
        show_chart(draw_columns(drawn), f"columns {found.name}")
    if last.page is not None:
        offer_file(last.page, "Download Evidently's page", f"drift-{found.name}-{last.day}.html")
