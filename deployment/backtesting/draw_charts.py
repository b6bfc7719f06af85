"""The charts that only the backtest report has: what was held, and what it cost; the others are in MLOps/charts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from MLOps.charts.chart_style import blank_figure, rounded
from MLOps.charts.strategy_charts import (
    add_line,
    days,
    draw_differences,
    draw_drawdowns,
    draw_growth,
    draw_months,
    in_drawing_order,
)
from MLOps.evaluation.backtest import Trajectory
from MLOps.evaluation.comparison import CHAMPION, MODEL, Comparison
from MLOps.market.accounting import FloatArray

if TYPE_CHECKING:
    import plotly.graph_objects as go

_TICKER_COLORS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#F0E442", "#7F6BB0", "#8C564B", "#17A2A2", "#A3B84C", "#4C5C96"),
)
_OTHERS_COLOR, _CASH_COLOR = "#9AA5B1", "#E3E7EC"


def draw_charts(comparison: Comparison, tickers: tuple[str, ...]) -> dict[str, "go.Figure"]:
    """Every chart of the report, by name; `champion_weights` where a champion ran."""
    dates, wealth = comparison.paths[MODEL].dates, {name: path.wealth for name, path in comparison.paths.items()}
    figures = {
        "equity": draw_growth(dates, wealth, comparison.random_wealth),
        "differences": draw_differences(comparison.scorecard.sharpe_differences),
        "drawdowns": draw_drawdowns(dates, wealth),
        "weights": draw_weights(comparison.paths[MODEL], tickers),
        "months": draw_months(comparison.returns_frame()),
        "costs": draw_costs(comparison.paths),
    }
    if CHAMPION in comparison.paths:
        figures["champion_weights"] = draw_weights(comparison.paths[CHAMPION], tickers)
    return figures


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
            x=days(path.dates),
            y=rounded(np.clip(weights, 0, 1), 4),
            name=label,
            stackgroup="all",
            line={"width": 0.5, "color": "white"},
            fillcolor=color,
            hovertemplate="%{y:.1%}",
        )
    figure.update_yaxes(range=[0, 1])
    return figure


def draw_costs(paths: Mapping[str, Trajectory]) -> "go.Figure":
    """Transaction costs so far, as a fraction of the starting cash."""
    figure = blank_figure(height=300, tickformat=".2%")
    costs: dict[str, FloatArray] = {
        name: np.cumsum(path.costs) / path.wealth[0] for name, path in paths.items() if name != "cash"
    }
    for name, paid in in_drawing_order(costs):
        add_line(figure, name, paths[name].dates, paid, "%{y:.2%}", digits=6)
    return figure
