"""One page of cost against size: a panel a quantity and axis, a line an implementation."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from records import Record, write_whole

_AXES = {
    "history_sessions": ("history, sessions", (1_250, 2_500, 5_000, 10_000)),
    "tickers": ("tickers", (5, 30, 100, 500)),
    "n_envs": ("environments at once", (1, 16, 256, 4_096)),
}
_OUR_COLOURS = {"ours": "#0b6e4f", "ours, random starts": "#5fbf9f"}
_PEER_COLOURS = ("#b3541e", "#5b5ea6", "#7f7f7f", "#c2a01f", "#1f77b4")
_PANEL_HEIGHT_PX = 300

Point = dict[str, Any]


def draw(records: Sequence[Record], path: Path) -> None:
    """Write the page of every size that the records hold; nothing while they hold none."""
    points = [point for record in records for point in record.get("sizes", [])]
    if not points:
        return
    quantities = _distinct(point["quantity"] for point in points)
    panels = [[_panel(points, quantity, axis) for axis in _AXES] for quantity in quantities]
    panels.sort(key=lambda row: sum(map(bool, row)), reverse=True)
    figure = make_subplots(
        rows=len(panels),
        cols=len(_AXES),
        specs=[[{} if panel else None for panel in row] for row in panels],
        subplot_titles=[panel[0]["quantity"] for row in panels for panel in row if panel],
        shared_yaxes="rows",
        horizontal_spacing=0.04,
        vertical_spacing=0.3 / len(panels),
    )
    colours = _colours(point["who"] for point in points)
    told: set[str] = set()
    for number, row in enumerate(panels, start=1):
        for column, (axis, panel) in enumerate(zip(_AXES, row, strict=True), start=1):
            for who in _distinct(point["who"] for point in panel):
                line = _line([point for point in panel if point["who"] == who], who, colours[who])
                figure.add_trace(line.update(showlegend=who not in told), row=number, col=column)
                told.add(who)
            if panel:
                _shape_axes(figure, number, column, axis)
    figure.update_layout(
        title="Cost against size (both scales logarithmic; lower is better)",
        template="plotly_white",
        height=_PANEL_HEIGHT_PX * len(panels) + 160,
        legend={"orientation": "h", "y": 1, "yref": "container", "yanchor": "top", "x": 1, "xanchor": "right"},
        margin={"l": 80, "r": 30, "t": 110, "b": 60},
    )
    write_whole(path, figure.to_html(include_plotlyjs=True, config={"displayModeBar": False}))


def _panel(points: Sequence[Point], quantity: str, axis: str) -> list[Point]:
    return [point for point in points if (point["quantity"], point["axis"]) == (quantity, axis)]


def _line(points: Sequence[Point], who: str, colour: str) -> go.Scatter:
    ordered = sorted(points, key=lambda point: point["size"])
    return go.Scatter(
        x=[point["size"] for point in ordered],
        y=[point["microseconds"] for point in ordered],
        name=who,
        legendgroup=who,
        mode="lines+markers",
        line={"color": colour},
        hovertemplate="%{x:,}: %{y:.3g} µs",
    )


def _shape_axes(figure: go.Figure, row: int, column: int, axis: str) -> None:
    title, ticks = _AXES[axis]
    texts = [f"{tick:,}" for tick in ticks]
    figure.update_xaxes(type="log", title=title, tickvals=ticks, ticktext=texts, row=row, col=column)
    figure.update_yaxes(type="log", title="µs" if column == 1 else None, dtick=1, row=row, col=column)


def _colours(names: Iterable[str]) -> dict[str, str]:
    peers = [name for name in _distinct(names) if name not in _OUR_COLOURS]
    return _OUR_COLOURS | {name: _PEER_COLOURS[i % len(_PEER_COLOURS)] for i, name in enumerate(peers)}


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
