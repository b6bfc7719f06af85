"""The charts of the backtest report, as Plotly figures."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deployment.backtesting.chart_style import blank_figure, rounded
from MLOps.evaluation.backtest import Trajectory
from MLOps.evaluation.comparison import CHAMPION, MODEL, RANDOM, Comparison, Scorecard
from MLOps.evaluation.performance import drawdowns
from MLOps.market.accounting import FloatArray

if TYPE_CHECKING:
    import plotly.graph_objects as go


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
_TICKER_COLORS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#F0E442", "#7F6BB0", "#8C564B", "#17A2A2", "#A3B84C", "#4C5C96"),
)
_OTHERS_COLOR, _CASH_COLOR = "#9AA5B1", "#E3E7EC"
_MOST_ANNOTATED_MONTHS = 26


def draw_equity(comparison: Comparison) -> "go.Figure":
    """Growth of 100 for every strategy, over a band that holds nine in ten of the random ones."""
    figure = blank_figure(height=440)
    dates = _days(comparison.paths[MODEL])
    start = comparison.random_wealth[:, :1]
    low, high = np.quantile(100 * comparison.random_wealth / start, [0.05, 0.95], axis=0)
    figure.add_scatter(x=dates, y=rounded(high), line={"width": 0}, hoverinfo="skip", showlegend=False)
    figure.add_scatter(
        x=dates,
        y=rounded(low),
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(230,159,0,0.16)",
        name="9 in 10 random",
        hoverinfo="skip",
    )
    for name, path in _in_drawing_order(comparison):
        _add_line(figure, name, path, 100 * path.wealth / path.wealth[0], "%{y:.1f}")
    return figure


def draw_drawdowns(comparison: Comparison) -> "go.Figure":
    """Fall from the highest wealth so far, for every strategy but cash."""
    figure = blank_figure(height=320, tickformat=".0%")
    for name, path in _in_drawing_order(comparison):
        if name != "cash":
            _add_line(figure, name, path, -drawdowns(path.wealth), "%{y:.1%}")
    figure.update_traces(fill="tozeroy", fillcolor="rgba(0,114,178,0.10)", selector={"name": LOOKS[MODEL].label})
    return figure


def draw_weights(path: Trajectory, tickers: tuple[str, ...]) -> "go.Figure":
    """What a strategy held at each close, as parts of its wealth; small holdings of a wide universe share one band."""
    figure = blank_figure(height=370, tickformat=".0%")
    largest = np.argsort(-path.weights.mean(axis=0), kind="stable")
    named, others = np.sort(largest[: len(_TICKER_COLORS)]), largest[len(_TICKER_COLORS) :]
    bands = [(tickers[n], path.weights[:, n], _TICKER_COLORS[n % len(_TICKER_COLORS)]) for n in named]
    if others.size:
        bands.append((f"{others.size} others", path.weights[:, others].sum(axis=1), _OTHERS_COLOR))
    bands.append(("Cash", 1 - path.weights.sum(axis=1), _CASH_COLOR))
    for label, weights, color in bands:
        figure.add_scatter(
            x=_days(path),
            y=rounded(np.clip(weights, 0, 1), 4),
            name=label,
            stackgroup="all",
            line={"width": 0.5, "color": "white"},
            fillcolor=color,
            hovertemplate="%{y:.1%}",
        )
    figure.update_yaxes(range=[0, 1])
    return figure


def draw_months(comparison: Comparison) -> "go.Figure":
    """Return of every strategy in every month, those of the window's edges in part."""
    monthly = (1 + comparison.returns_frame().set_index("date")).resample("ME").prod() - 1
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


def draw_differences(scorecard: Scorecard) -> "go.Figure":
    """Sharpe ratio of the model less that of each other strategy, with its interval."""
    known = [(name, found) for name, found in scorecard.sharpe_differences.items() if found is not None]
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


def draw_costs(comparison: Comparison) -> "go.Figure":
    """Transaction costs so far, as a fraction of the starting cash."""
    figure = blank_figure(height=300, tickformat=".2%")
    for name, path in _in_drawing_order(comparison):
        if name != "cash":
            _add_line(figure, name, path, np.cumsum(path.costs) / path.wealth[0], "%{y:.2%}", digits=6)
    return figure


def _in_drawing_order(comparison: Comparison) -> list[tuple[str, Trajectory]]:
    """The model last, so that it lies on top."""
    return [(name, comparison.paths[name]) for name in reversed(LOOKS) if name in comparison.paths]


def _add_line(
    figure: "go.Figure", name: str, path: Trajectory, values: FloatArray, hover: str, digits: int = 4
) -> None:
    look = LOOKS[name]
    figure.add_scatter(
        x=_days(path),
        y=rounded(values, digits),
        name=look.label,
        line={"color": look.color, "width": look.width, "dash": look.dash},
        mode="lines",
        legendrank=list(LOOKS).index(name),
        hovertemplate=hover,
    )


def _days(path: Trajectory) -> list[str]:
    return [str(day) for day in path.dates]
