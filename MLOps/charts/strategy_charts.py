"""The charts of strategies beside each other, as Plotly figures: growth, drawdown, months, differences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from MLOps.charts.chart_style import blank_figure, rounded
from MLOps.evaluation.comparison import CHAMPION, MODEL, RANDOM
from MLOps.evaluation.performance import drawdowns
from MLOps.evaluation.significance import SharpeDifference
from MLOps.market.accounting import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Dates = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Look:
    """How a strategy is named and drawn."""

    label: str
    color: str
    width: float = 1.6
    dash: str = "solid"


# Okabe and Ito's palette, which colour-blind readers can tell apart; dashes serve print in grey.
LOOKS = {
    MODEL: Look("Model", "#0072B2", 3.0),
    CHAMPION: Look("Champion", "#D55E00", 2.2, "dash"),
    "equal_weight": Look("Equal weight, held", "#222222", 2.0, "dot"),
    "minimum_variance": Look("Minimum variance", "#009E73"),
    "mean_variance": Look("Mean-variance", "#CC79A7"),
    "cash": Look("Cash", "#9A9A9A", 1.2, "dashdot"),
    RANDOM: Look("Random trading", "#E69F00", 1.6),
}
_MOST_ANNOTATED_MONTHS = 26


def draw_growth(dates: Dates, wealth: Mapping[str, FloatArray], random_wealth: FloatArray | None = None) -> "go.Figure":
    """Growth of 100 for every strategy, over a band that holds nine in ten of the random ones.

    Parameters
    ----------
    dates : (K,) datetime64
    wealth : mapping of str to (K,) float64
        By strategy.
    random_wealth : (P, K) float64, optional
        Of all random strategies; without it no band is drawn.
    """
    figure = blank_figure(height=440)
    if random_wealth is not None:
        _add_band(figure, dates, 100 * random_wealth / random_wealth[:, :1])
    for name, path in in_drawing_order(wealth):
        add_line(figure, name, dates, 100 * path / path[0], "%{y:.1f}")
    return figure


def draw_drawdowns(dates: Dates, wealth: Mapping[str, FloatArray]) -> "go.Figure":
    """Fall from the highest wealth so far, for every strategy but cash; arguments as in `draw_growth`."""
    figure = blank_figure(height=320, tickformat=".0%")
    for name, path in in_drawing_order(wealth):
        if name != "cash":
            add_line(figure, name, dates, -drawdowns(path), "%{y:.1%}")
    figure.update_traces(fill="tozeroy", fillcolor="rgba(0,114,178,0.10)", selector={"name": LOOKS[MODEL].label})
    return figure


def draw_months(returns: "pd.DataFrame") -> "go.Figure":
    """Return of every strategy in every month, those of the window's edges in part.

    Parameters
    ----------
    returns : DataFrame
        Column `date`, then one column of daily simple returns for each strategy.
    """
    monthly = (1 + returns.set_index("date")).resample("ME").prod() - 1
    names = [name for name in LOOKS if name in monthly and name != "cash"]
    values = monthly[names].T.to_numpy()
    limit = float(np.abs(values).max()) or 0.01
    has_numbers = len(monthly) <= _MOST_ANNOTATED_MONTHS
    figure = blank_figure(height=70 + 36 * len(names), hovermode="closest")
    figure.add_heatmap(
        x=[f"{month:%b %y}" for month in monthly.index],
        y=[LOOKS[name].label for name in names],
        z=np.round(values, 5),
        zmin=-limit,
        zmax=limit,
        colorscale=[[0, "#B2543A"], [0.5, "#FAFAF7"], [1, "#1F6FA8"]],
        texttemplate="%{z:.1%}" if has_numbers else None,
        hovertemplate="%{y}, %{x}: %{z:.2%}<extra></extra>",
        showscale=False,
        xgap=2,
        ygap=2,
    )
    figure.update_xaxes(
        type="category", showgrid=False, tickangle=0 if len(monthly) <= 14 else -60, tickfont={"size": 12}
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def draw_differences(differences: Mapping[str, SharpeDifference | None]) -> "go.Figure":
    """Sharpe ratio of the model less that of each other strategy, with its interval; undefined ones are left out."""
    known = [(name, found) for name, found in differences.items() if found is not None]
    figure = blank_figure(height=70 + 40 * len(known), hovermode="closest")
    for name, found in known:
        figure.add_scatter(
            x=[found.difference],
            y=[LOOKS[name].label],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [found.upper - found.difference],
                "arrayminus": [found.difference - found.lower],
                "thickness": 2.4,
                "width": 7,
            },
            marker={"size": 11, "color": LOOKS[name].color},
            mode="markers",
            showlegend=False,
            hovertemplate=(
                f"{LOOKS[name].label}: {found.difference:+.2f} [{found.lower:+.2f}, {found.upper:+.2f}]<extra></extra>"
            ),
        )
    figure.add_vline(x=0, line={"color": "#222222", "width": 1.2})
    figure.update_xaxes(zeroline=False, type="linear")
    figure.update_yaxes(autorange="reversed")
    return figure


def in_drawing_order(series: Mapping[str, FloatArray]) -> Iterator[tuple[str, FloatArray]]:
    """The strategies that have a look, the model last, so that it lies on top."""
    return ((name, series[name]) for name in reversed(LOOKS) if name in series)


def add_line(figure: "go.Figure", name: str, dates: Dates, values: FloatArray, hover: str, digits: int = 4) -> None:
    """Add the line of a strategy.

    Parameters
    ----------
    figure : Figure
    name : str
        Strategy; one of `LOOKS`.
    dates, values : (K,) arrays
    hover : str
        What a pointer shows, in Plotly's notation.
    digits : int
        Decimals of the values that are kept.
    """
    look = LOOKS[name]
    figure.add_scatter(
        x=days(dates),
        y=rounded(values, digits),
        name=look.label,
        line={"color": look.color, "width": look.width, "dash": look.dash},
        mode="lines",
        legendrank=list(LOOKS).index(name),
        hovertemplate=hover,
    )


def days(dates: Dates) -> list[str]:
    """Dates as text, which Plotly reads as days."""
    return [str(day) for day in dates]


def _add_band(figure: "go.Figure", dates: Dates, growth: FloatArray) -> None:
    low, high = np.quantile(growth, [0.05, 0.95], axis=0)
    figure.add_scatter(x=days(dates), y=rounded(high), line={"width": 0}, hoverinfo="skip", showlegend=False)
    figure.add_scatter(
        x=days(dates),
        y=rounded(low),
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(230,159,0,0.16)",
        name="9 in 10 random",
        hoverinfo="skip",
    )
