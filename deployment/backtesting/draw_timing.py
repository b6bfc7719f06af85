"""The charts of the timing report, as Plotly figures: purchases on the price, savings, steps, training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from deployment.backtesting.learning_curve import LearningCurve
from MLOps.charts.chart_style import blank_figure, rounded
from MLOps.charts.timing_charts import TIMING_LOOKS, draw_advantages
from MLOps.evaluation.comparison import MODEL
from MLOps.evaluation.timing_comparison import FIRST, HINDSIGHT, TimingComparison
from MLOps.evaluation.timing_policies import IntArray, cycle_prices
from MLOps.evaluation.timing_savings import saving_bps
from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import consecutive

if TYPE_CHECKING:
    import plotly.graph_objects as go

_CLOSE_CYCLES = 14  # that the second chart of purchases shows
_MOST_POINTS = 4_000  # of a price line; a screen shows no more
_BINS = 41
_LEGEND_ABOVE: dict[str, Any] = {"legend": {"y": 1.02, "yanchor": "bottom"}, "margin": {"t": 36}}
"""For a low chart whose horizontal axis has a title."""


def draw_timing(comparison: TimingComparison, curve: LearningCurve | None) -> dict[str, "go.Figure"]:
    """Every chart of the report, by name; `scores` and `losses` where the training left its curve."""
    phase = one_phase(comparison)
    charts = {
        "advantages": draw_advantages(comparison.scorecard.advantages),
        "purchases": draw_purchases(comparison, phase),
        "purchases_close": draw_purchases(comparison, phase[-_CLOSE_CYCLES:]),
        "savings": draw_savings(comparison),
        "steps": draw_steps(comparison),
    }
    if curve is not None:
        charts["scores"] = draw_curve(curve.frames, curve.mean_score_10, ".3~f")
        charts["losses"] = draw_curve(curve.frames, curve.loss, ".3~g")
    return charts


def one_phase(comparison: TimingComparison) -> IntArray:
    """Numbers of those cycles that are laid end to end from the first on: purchases of all would hide one another."""
    return np.searchsorted(comparison.cycles.starts, consecutive(comparison.cycles).starts)


def draw_purchases(comparison: TimingComparison, shown: IntArray) -> "go.Figure":
    """Where the model and hindsight bought in some of the cycles, on the price; where they are few, lines part them."""
    cycles = comparison.cycles
    starts = cycles.starts[shown]
    figure = blank_figure(height=400, hovermode="closest")
    rows = np.arange(starts[0], starts[-1] + cycles.steps)
    rows = rows[:: max(1, len(rows) // _MOST_POINTS)]
    line = {"color": "#9AA5B1", "width": 1.2}
    figure.add_scatter(
        x=_instants(cycles.times[rows]), y=rounded(cycles.closes[rows], 2), name="Price", line=line, mode="lines"
    )
    for name, symbol, size in ((HINDSIGHT, "circle-open", 8), (MODEL, "circle", 7)):
        bought = starts + comparison.steps[name][shown]
        figure.add_scatter(
            x=_instants(cycles.times[bought]),
            y=rounded(cycles.closes[bought], 2),
            name=TIMING_LOOKS[name].label,
            mode="markers",
            marker={"color": TIMING_LOOKS[name].color, "symbol": symbol, "size": size},
            hovertemplate="%{x|%d %b %Y %H:%M}: %{y:,.2f}",
        )
    if len(starts) <= _CLOSE_CYCLES:
        for instant in _instants(cycles.times[starts]):
            figure.add_vline(x=instant, line={"color": "#C5CDD5", "width": 1, "dash": "dot"})
    figure.update_yaxes(tickformat=",~r", title={"text": "US dollars"})
    return figure


def draw_savings(comparison: TimingComparison) -> "go.Figure":
    """How often the model, and buying first, saved how much against the cycle's mean price."""
    means = cycle_prices(comparison.cycles).mean(axis=1)
    savings = {name: saving_bps(comparison.paid[name][0], means) for name in (FIRST, MODEL)}
    edges = _edges(np.concatenate(list(savings.values())))
    figure = blank_figure(height=320, hovermode="x unified")
    for name, values in savings.items():
        counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
        figure.add_bar(
            x=rounded((edges[1:] + edges[:-1]) / 2, 1),
            y=counts.tolist(),
            name=TIMING_LOOKS[name].label,
            marker={"color": TIMING_LOOKS[name].color},
            opacity=0.55,
            hovertemplate="%{y} cycles",
        )
    figure.add_vline(x=0, line={"color": "#222222", "width": 1.2})
    figure.update_layout(barmode="overlay", bargap=0, **_LEGEND_ABOVE)
    figure.update_xaxes(title={"text": "basis points saved against the mean price; the ends hold all beyond"})
    figure.update_yaxes(title={"text": "cycles"})
    return figure


def draw_steps(comparison: TimingComparison) -> "go.Figure":
    """At which step of the cycle the model buys, and where hindsight would have."""
    figure = blank_figure(height=300, tickformat=".0%")
    for name in (HINDSIGHT, MODEL):
        counts = np.bincount(comparison.steps[name], minlength=comparison.cycles.steps)
        figure.add_bar(
            x=list(range(len(counts))),
            y=rounded(counts / counts.sum(), 4),
            name=TIMING_LOOKS[name].label,
            marker={"color": TIMING_LOOKS[name].color},
            hovertemplate="%{y:.1%}",
        )
    figure.update_layout(**_LEGEND_ABOVE)
    figure.update_xaxes(title={"text": "step of the cycle, from 0; at the last one the purchase is forced"})
    return figure


def draw_curve(frames: Sequence[int], values: Sequence[float | None], tickformat: str) -> "go.Figure":
    """One curve of the training over the decisions played; what was not known yet is left out."""
    figure = blank_figure(height=280, tickformat=tickformat)
    figure.add_scatter(
        x=list(frames),
        y=[None if value is None else float(f"{value:.6g}") for value in values],
        mode="lines",
        line={"color": TIMING_LOOKS[MODEL].color, "width": 1.6},
        showlegend=False,
        hovertemplate="%{y:.4~g}",
    )
    figure.update_xaxes(title={"text": "decisions played"})
    return figure


def _edges(values: FloatArray) -> FloatArray:
    """Edges of the bins, alike around 0, that hold all but the outermost hundredth on either side."""
    limit = float(np.abs(np.quantile(values, [0.01, 0.99])).max()) or 1.0
    return np.linspace(-limit, limit, _BINS + 1)


def _instants(times: npt.NDArray[np.datetime64]) -> list[str]:
    """Instants as text, which Plotly reads as such."""
    return [str(time) for time in times.astype("datetime64[m]")]
