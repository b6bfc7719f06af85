"""The backtest report: one HTML file that needs no network, for a screen, a phone or paper."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployment.backtesting.draw_charts import (
    LOOKS,
    draw_costs,
    draw_differences,
    draw_drawdowns,
    draw_equity,
    draw_months,
    draw_weights,
)
from deployment.backtesting.render_page import PageFacts, render_page
from MLOps.evaluation.comparison import CHAMPION, MODEL, Comparison
from MLOps.settings.backtest import BacktestTerms

if TYPE_CHECKING:
    import plotly.graph_objects as go

_TEMPLATE = "report.html.j2"


@dataclass(frozen=True, kw_only=True)
class ReportFacts(PageFacts):
    """What the backtest's report says beside its figures.

    Attributes
    ----------
    model, champion : str
        Which model stands behind the name; `champion` is empty where none ran.
    """

    model: str
    champion: str


def render_report(comparison: Comparison, terms: BacktestTerms, facts: ReportFacts) -> str:
    """The report as HTML. The same arguments give the same text: it holds no time and no path."""
    path = comparison.paths[MODEL]
    return render_page(
        _TEMPLATE,
        _charts(comparison, facts.tickers),
        facts,
        terms=terms,
        looks=LOOKS,
        scorecard=comparison.scorecard,
        first=str(path.dates[0]),
        last=str(path.dates[-1]),
        sessions=len(path.dates),
    )


def _charts(comparison: Comparison, tickers: tuple[str, ...]) -> dict[str, "go.Figure"]:
    figures = {
        "equity": draw_equity(comparison),
        "differences": draw_differences(comparison.scorecard),
        "drawdowns": draw_drawdowns(comparison),
        "weights": draw_weights(comparison.paths[MODEL], tickers),
        "months": draw_months(comparison),
        "costs": draw_costs(comparison),
    }
    if CHAMPION in comparison.paths:
        figures["champion_weights"] = draw_weights(comparison.paths[CHAMPION], tickers)
    return figures
