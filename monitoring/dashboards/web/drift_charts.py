"""The charts of drift: how much of each subject drifted over time, and which columns are the worst."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from MLOps.charts.chart_style import blank_figure
from monitoring.dashboards.web.drift_history import SubjectCheck
from monitoring.drift.verdict import ColumnDrift, Status, SubjectDrift

if TYPE_CHECKING:
    import plotly.graph_objects as go

SUBJECTS = {
    "features": ("Features", "#0072B2"),
    "observation": ("Model inputs", "#009E73"),
    "actions": ("Actions", "#CC79A7"),
    "news_scores": ("News scores", "#E69F00"),
    "timing_observation": ("Buy-timing inputs", "#56B4E9"),
}
"""Name and colour of each subject, out of Okabe and Ito's palette."""
_COINS = {"ETH": "#D55E00"}  # the others have the colour of the subject
_DRIFTED, _CALM = "#C2410C", "#9AA5B1"


def label_of(found: SubjectDrift) -> str:
    """What a subject is called on the screen, with the coin that it is about."""
    return " ".join(part for part in (SUBJECTS[found.subject][0], found.coin) if part)


def _color_of(found: SubjectDrift) -> str:
    return _COINS.get(found.coin, SUBJECTS[found.subject][1])


def draw_drift_over_time(checks: Mapping[str, Sequence[SubjectCheck]]) -> "go.Figure":
    """Share of drifted columns by the day of the newest row; a filled point is a check that found drift."""
    figure = blank_figure(height=330, tickformat=".0%")
    for found in checks.values():
        answered = [each for each in found if each.day is not None]
        label, color = label_of(found[-1].found), _color_of(found[-1].found)
        is_drift = [each.found.status is Status.DRIFT for each in answered]
        figure.add_scatter(
            x=[str(each.day) for each in answered],
            y=[each.found.drifted_fraction for each in answered],
            name=label,
            cliponaxis=False,  # points on the zero line stay whole
            mode="lines+markers",
            line={"color": color, "width": 2},
            marker={
                "size": 11,
                "color": [color if drift else "#FFFFFF" for drift in is_drift],
                "line": {"width": 2, "color": color},
            },
            customdata=["drift" if drift else "no drift" for drift in is_drift],
            hovertemplate="%{y:.0%} of columns, %{customdata}",
        )
    figure.update_layout(showlegend=True)  # one line has a name too
    figure.update_xaxes(type="date")
    figure.update_yaxes(rangemode="tozero")
    return figure


def draw_columns(columns: Sequence[ColumnDrift]) -> "go.Figure":
    """Largest score of each column as a multiple of its threshold; from 1 on the column drifts."""
    figure = blank_figure(height=76 + 30 * len(columns), hovermode="closest")
    figure.add_bar(
        x=[column.excess for column in columns],
        y=[column.column for column in columns],
        orientation="h",
        marker={"color": [_DRIFTED if column.is_drifted else _CALM for column in columns]},
        text=[f"{column.excess:.2f}" for column in columns],
        textposition="outside",
        cliponaxis=False,
        hovertext=[_told(column) for column in columns],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    figure.add_vline(x=1, line={"color": "#1F2933", "width": 1.4, "dash": "dot"})
    largest = max((column.excess for column in columns), default=0)
    figure.update_xaxes(range=[0, 1.15 * max(largest, 1.1)])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def _told(column: ColumnDrift) -> str:
    scores = [
        f"{method} {score:.3f} (threshold {column.thresholds[method]:.3f})" for method, score in column.scores.items()
    ]
    return "<br>".join([column.column, *scores])
