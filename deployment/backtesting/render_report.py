"""The backtest report: one HTML file that needs no network, for a screen, a phone or paper."""

from dataclasses import dataclass

from deployment.backtesting.draw_charts import draw_charts
from deployment.backtesting.judged_before import Tries
from deployment.backtesting.render_page import PageFacts, render_page
from MLOps.charts.strategy_charts import LOOKS
from MLOps.evaluation.comparison import MODEL, Comparison
from MLOps.settings.backtest import BacktestTerms

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


def render_report(comparison: Comparison, terms: BacktestTerms, facts: ReportFacts, tries: Tries) -> str:
    """The report as HTML. The same arguments give the same text: it holds no time and no path."""
    path = comparison.paths[MODEL]
    return render_page(
        _TEMPLATE,
        draw_charts(comparison, facts.tickers),
        facts,
        terms=terms,
        looks=LOOKS,
        scorecard=comparison.scorecard,
        first=str(path.dates[0]),
        last=str(path.dates[-1]),
        sessions=len(path.dates),
        tries=tries,
    )
