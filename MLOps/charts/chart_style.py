"""How every chart of reports and dashboards looks."""

from typing import TYPE_CHECKING

import numpy as np

from MLOps.market.accounting import FloatArray

if TYPE_CHECKING:
    import plotly.graph_objects as go


def blank_figure(height: int, tickformat: str | None = None, hovermode: str = "x unified") -> "go.Figure":
    """A figure without traces.

    Parameters
    ----------
    height : int
        Pixels.
    tickformat : str, optional
        Of the vertical axis, in D3's notation.
    hovermode : str
        What a pointer shows.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 8, "r": 8, "t": 12, "b": 8},
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": "#1F2933"},
        legend={
            "orientation": "h",
            "y": -0.12,
            "yanchor": "top",
            "x": 0,
            "traceorder": "normal",
            "entrywidth": 98,  # pixels: two columns on a phone
            "font": {"size": 11},
        },
        hovermode=hovermode,
        dragmode=False,  # a finger on a chart scrolls the page; the page turns zoom on where there is a mouse
        hoverlabel={"namelength": -1},
    )
    figure.update_xaxes(automargin=True, gridcolor="#EDF0F3")
    figure.update_yaxes(tickformat=tickformat, automargin=True, gridcolor="#E4E8EC")
    return figure


def rounded(values: FloatArray, digits: int = 3) -> list[float]:
    """As many digits as a screen can show; the page stays small."""
    return [float(value) for value in np.round(values, digits)]
