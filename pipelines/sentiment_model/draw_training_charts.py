"""The charts of a fine-tuning: what is taken for what, and how far confidence can be believed."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MLOps.evaluation.macro_f1 import confusion_counts
from MLOps.sentiment.calibration import Reliability, reliability
from MLOps.sentiment.scorer import LABELS, softmax

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from MLOps.evaluation.macro_f1 import FloatArray, IntArray

_BLUE, _RED, _GREY = "#0072B2", "#D55E00", "#9A9A9A"  # Okabe and Ito's palette


def write_charts(path: Path, logits: "FloatArray", labels: "IntArray", temperature: float) -> None:
    """One page that needs no network: the confusion matrix, and calibration before and after the temperature.

    Parameters
    ----------
    path : Path
        An HTML file.
    logits : ndarray of shape (K, 3)
        Of the held-out sentences.
    labels : ndarray of shape (K,)
        Their classes.
    temperature : float
        Fitted on the validation split.
    """
    from plotly.subplots import make_subplots

    titles = ("Sentences by class and prediction", "Accuracy by confidence")
    page = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.15)
    _add_confusion(page, confusion_counts(labels, logits.argmax(axis=1), len(LABELS)))
    before, after = (reliability(softmax(logits / divisor), labels) for divisor in (1.0, temperature))
    _add_diagonal(page)
    _add_reliability(page, before, f"as trained, error {before.error:.3f}", _RED)
    _add_reliability(page, after, f"temperature {temperature:.2f}, error {after.error:.3f}", _BLUE)
    page.update_layout(template="plotly_white", height=460, width=1060, title="Held-out sentences")
    page.write_html(path, include_plotlyjs=True, div_id="charts")


def _add_confusion(page: "go.Figure", counts: "IntArray") -> None:
    names = list(LABELS)
    page.add_heatmap(
        z=counts,
        x=names,
        y=names,
        text=counts,
        texttemplate="%{text}",
        colorscale="Blues",
        showscale=False,
        row=1,
        col=1,
    )
    page.update_xaxes(title="predicted", row=1, col=1)
    page.update_yaxes(title="true", autorange="reversed", row=1, col=1)


def _add_reliability(page: "go.Figure", found: Reliability, name: str, color: str) -> None:
    full = found.share > 0
    page.add_scatter(
        x=np.round(found.confidence[full], 4),
        y=np.round(found.accuracy[full], 4),
        mode="lines+markers",
        marker={"color": color, "size": 6 + 24 * np.round(found.share[full], 3)},
        name=name,
        row=1,
        col=2,
    )
    page.update_xaxes(title="confidence", range=[0.3, 1], row=1, col=2)
    page.update_yaxes(title="accuracy", range=[0, 1], row=1, col=2)


def _add_diagonal(page: "go.Figure") -> None:
    line = {"color": _GREY, "dash": "dot"}
    page.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, name="as confident as right", row=1, col=2)
