"""The page of an ablation of Rainbow: differences at the last look, learning on the validation cycles, the table."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MLOps.charts.chart_style import blank_figure, rounded
from MLOps.evaluation.rainbow_ablation import RainbowAblation
from MLOps.settings.rainbow_ablation import FULL, Variant
from pipelines.crypto_dqn.ablation_text import LABELS, table_of, tell_caption, tell_findings, tell_limits

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito's palette, which colour-blind readers can tell apart
_COLORS: dict[Variant, str] = {
    "rainbow": "#222222",
    "without_double": "#0072B2",
    "without_dueling": "#D55E00",
    "without_prioritized": "#009E73",
    "without_categorical": "#CC79A7",
    "without_noisy": "#E69F00",
    "without_n_step": "#56B4E9",
    "dqn": "#9A9A9A",
}
_CHART_CONFIG = {"displayModeBar": False, "responsive": True, "scrollZoom": False}


def render_ablation(ablation: RainbowAblation, cpu_seconds: Mapping[Variant, float], warnings: tuple[str, ...]) -> str:
    """The page as HTML that needs no network.

    Parameters
    ----------
    ablation : RainbowAblation
    cpu_seconds : mapping of str to float
        Processor seconds of a training, by variant.
    warnings : tuple of str
        What a reader must know of the data.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    charts = {
        "differences": draw_differences(ablation),
        "learning": draw_learning(ablation),
    }
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    header, *rows = table_of(ablation, cpu_seconds)
    return environment.get_template("rainbow_ablation.html.j2").render(
        ablation=ablation,
        caption=tell_caption(ablation),
        charts={name: _html(figure, name) for name, figure in charts.items()},
        findings=tell_findings(ablation),
        header=header,
        limits=tell_limits(ablation),
        plotly=get_plotlyjs(),
        rows=rows,
        warnings=warnings,
    )


def _html(figure: "go.Figure", name: str) -> str:
    """A chart as a fragment; its identifier is given, for Plotly would draw a random one."""
    fragment = figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"chart-{name}", config=_CHART_CONFIG)
    return str(fragment)


def draw_differences(ablation: RainbowAblation) -> "go.Figure":
    """Each variant less the full agent at the last look: a ring for each seed, a dot with its interval for the mean."""
    compared = [(row, row.last_difference) for row in ablation.variants if row.last_difference]
    figure = blank_figure(height=80 + 44 * len(compared), hovermode="closest")
    hover = "%{y}: %{x:+.1f}<extra></extra>"
    for row, found in compared:
        label, color = LABELS[row.variant], _COLORS[row.variant]
        ring = {"size": 7, "color": color, "symbol": "circle-open", "line": {"width": 1.6}}
        by_seed = rounded(np.array(found.by_seed))
        figure.add_scatter(
            x=by_seed, y=[label] * len(by_seed), mode="markers", marker=ring, showlegend=False, hovertemplate=hover
        )
        bar = {"type": "data", "symmetric": False, "array": [found.upper - found.mean]}
        bar |= {"arrayminus": [found.mean - found.lower], "thickness": 2.4, "width": 7}
        dot = {"size": 11, "color": color}
        figure.add_scatter(
            x=[found.mean], y=[label], error_x=bar, mode="markers", marker=dot, showlegend=False, hovertemplate=hover
        )
    figure.add_vline(x=0, line={"color": "#222222", "width": 1.2})
    figure.update_xaxes(zeroline=False, title={"text": "basis points; left of 0: worse than full"})
    figure.update_yaxes(autorange="reversed")
    return figure


def draw_learning(ablation: RainbowAblation) -> "go.Figure":
    """Advantage over buying first on the validation cycles while they learn, the mean over the seeds."""
    figure = blank_figure(height=420, tickformat="+.3~f")
    for row in reversed(ablation.variants):
        runs = ablation.runs_of(row.variant)
        looks = min(len(run.frames) for run in runs)  # a training that stopped early has fewer
        advantages = np.array([run.advantages_bps[:looks] for run in runs])
        figure.add_scatter(
            x=list(runs[0].frames[:looks]),
            y=rounded(advantages.mean(axis=0)),
            name=LABELS[row.variant],
            mode="lines+markers",
            line={"color": _COLORS[row.variant], "width": 3.0 if row.variant == FULL else 1.4},
            hovertemplate="%{y:+.1f}",
        )
    waiting = {"color": "#5B6875", "width": 1.2, "dash": "dash"}
    figure.add_hline(y=ablation.validation.buy_last_bps, line=waiting, annotation_text="buys last")
    figure.update_xaxes(title={"text": "decisions played"})
    figure.update_yaxes(title={"text": "basis points over buying first"})
    figure.update_layout(legend={"traceorder": "reversed", "entrywidth": 190, "y": -0.22})
    return figure
