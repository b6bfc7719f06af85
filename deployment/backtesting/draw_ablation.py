"""The charts of the ablation's report, as Plotly figures."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from MLOps.charts.chart_style import blank_figure, rounded
from MLOps.evaluation.sentiment_ablation import AblationFigures
from MLOps.market.accounting import FloatArray

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito's palette, which colour-blind readers can tell apart
_COLORS = {True: "#0072B2", False: "#D55E00"}
_LABELS = {True: "With news", False: "Without news"}
_FORMATS = {"annual_return": ".1%", "sharpe": ".2f"}
_MEAN = "Mean"


def draw_growth(figures: AblationFigures) -> "go.Figure":
    """Growth of 100 for every agent, thin, and for the mean of those with the news and of those without."""
    figure = blank_figure(height=400)
    for sees_news in (False, True):
        wealth = np.array([_wealth(run.returns) for run in figures.runs_of(sees_news)])
        line = {"color": _COLORS[sees_news], "width": 0.8}
        days = list(range(wealth.shape[1]))
        for path in wealth:
            figure.add_scatter(x=days, y=rounded(path), line=line, opacity=0.35, hoverinfo="skip", showlegend=False)
        label, line = _LABELS[sees_news], {"color": _COLORS[sees_news], "width": 3.0}
        figure.add_scatter(
            x=days, y=rounded(wealth.mean(axis=0)), name=label, line=line, mode="lines", hovertemplate="%{y:.1f}"
        )
    figure.update_xaxes(title={"text": "sessions since the window's start"})
    return figure


def draw_seeds(figures: AblationFigures, figure_name: Literal["annual_return", "sharpe"]) -> "go.Figure":
    """Difference of each pair, and of their mean with its interval; the band is what would not have shown."""
    effect = getattr(figures.effects, figure_name)
    assert effect is not None
    tickformat = _FORMATS[figure_name]
    seeds = [f"seed {run.seed}" for run in figures.runs_of(sees_news=True)]
    figure = blank_figure(height=110 + 24 * len(seeds), hovermode="closest")
    figure.add_vrect(x0=-effect.detectable, x1=effect.detectable, fillcolor="#9AA5B1", opacity=0.16, line_width=0)
    hover = f"%{{y}}: %{{x:{tickformat}}}<extra></extra>"
    marker = {"size": 8, "color": _COLORS[True], "symbol": "circle-open", "line": {"width": 2}}
    figure.add_scatter(
        x=rounded(np.array(effect.by_seed), 5),
        y=seeds,
        mode="markers",
        marker=marker,
        showlegend=False,
        hovertemplate=hover,
    )
    figure.add_scatter(
        x=rounded(np.array([effect.mean]), 5),
        y=[_MEAN],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [effect.upper - effect.mean],
            "arrayminus": [effect.mean - effect.lower],
            "thickness": 2.4,
            "width": 7,
        },
        marker={"size": 12, "color": "#222222"},
        mode="markers",
        showlegend=False,
        hovertemplate=hover,
    )
    figure.add_vline(x=0, line={"color": "#222222", "width": 1.2})
    figure.update_xaxes(zeroline=False, type="linear", tickformat=tickformat)
    figure.update_yaxes(autorange="reversed", tickformat=None)
    return figure


def _wealth(returns: tuple[float, ...]) -> FloatArray:
    return np.concatenate(([100.0], 100 * np.cumprod(1 + np.array(returns))))
