"""The charts of buy-timing that report and dashboard share: how its policies look, and how far the model lies ahead."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from MLOps.charts.chart_style import blank_figure
from MLOps.charts.strategy_charts import Look
from MLOps.evaluation.comparison import CHAMPION, MODEL
from MLOps.evaluation.paired_seeds import Effect
from MLOps.evaluation.timing_comparison import FIRST, HINDSIGHT, LAST, MEAN, RANDOM, SECRETARY, SEEDS, THRESHOLD

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito's palette, which colour-blind readers can tell apart
TIMING_LOOKS = {
    MODEL: Look("Model", "#0072B2", 3.0),
    SEEDS: Look("Mean over seeds", "#56B4E9", 2.2),
    CHAMPION: Look("Champion", "#D55E00", 2.2, "dash"),
    FIRST: Look("Buys first", "#222222", 2.0, "dot"),
    LAST: Look("Buys last", "#9A9A9A"),
    RANDOM: Look("Random step", "#E69F00"),
    MEAN: Look("Mean price of the cycle", "#B08A3C"),
    SECRETARY: Look("Secretary rule", "#CC79A7"),
    THRESHOLD: Look("Fitted thresholds", "#009E73"),
    HINDSIGHT: Look("Best in hindsight", "#5B6875", 1.2, "dashdot"),
}


def draw_advantages(advantages: Mapping[str, Effect]) -> "go.Figure":
    """How much less the model paid than each other policy, with its interval; hindsight, which none beats, left out."""
    shown = {name: effect for name, effect in advantages.items() if name != HINDSIGHT}
    figure = blank_figure(height=70 + 40 * len(shown), hovermode="closest")
    for name, effect in shown.items():
        figure.add_scatter(
            x=[effect.mean],
            y=[TIMING_LOOKS[name].label],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [effect.upper - effect.mean],
                "arrayminus": [effect.mean - effect.lower],
                "thickness": 2.4,
                "width": 7,
            },
            marker={"size": 11, "color": TIMING_LOOKS[name].color},
            mode="markers",
            showlegend=False,
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": "#222222", "width": 1.2})
    title = {"text": "basis points that the model saved", "font": {"size": 12}}  # short: it must fit on a phone
    figure.update_xaxes(zeroline=False, title=title)
    figure.update_yaxes(autorange="reversed")
    return figure
