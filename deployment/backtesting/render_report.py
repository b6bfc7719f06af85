"""The backtest report: one HTML file that needs no network, for a screen, a phone or paper."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
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
from MLOps.evaluation.comparison import CHAMPION, MODEL, Comparison
from MLOps.settings.backtest import BacktestTerms

if TYPE_CHECKING:
    import plotly.graph_objects as go

_TEMPLATE = "report.html.j2"
_CHART_CONFIG = {"displayModeBar": False, "responsive": True, "scrollZoom": False}


@dataclass(frozen=True)
class ReportFacts:
    """What the report says beside its figures.

    Attributes
    ----------
    model, champion : str
        Which model stands behind the name; `champion` is empty where none ran.
    tickers : tuple of str
    warnings : tuple of str
        What a reader of the results must know about the data.
    sources : mapping of str to str
        Origin and licence of the data, digests and keys, by caption.
    """

    model: str
    champion: str
    tickers: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

    def identity(self) -> dict[str, str]:
        """All of it as plain text: a report that says something else is another report."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}


def render_report(comparison: Comparison, terms: BacktestTerms, facts: ReportFacts) -> str:
    """The report as HTML. The same arguments give the same text: it holds no time and no path."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "number": _number, "money": _money, "signed": _signed}
    path = comparison.paths[MODEL]
    return environment.get_template(_TEMPLATE).render(
        facts=facts,
        terms=terms,
        looks=LOOKS,
        scorecard=comparison.scorecard,
        first=str(path.dates[0]),
        last=str(path.dates[-1]),
        sessions=len(path.dates),
        charts=_charts(comparison, facts.tickers),
        plotly=get_plotlyjs(),
    )


def _charts(comparison: Comparison, tickers: tuple[str, ...]) -> dict[str, str]:
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
    return {name: _html(figure, name) for name, figure in figures.items()}


def _html(figure: "go.Figure", name: str) -> str:
    """A chart as a fragment; its identifier is given, for Plotly would draw a random one."""
    fragment = figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"chart-{name}", config=_CHART_CONFIG)
    return str(fragment)


def _percent(value: float | None, digits: int = 1) -> str:
    return _typeset(None if value is None else f"{value:.{digits}%}")


def _number(value: float | None, digits: int = 2) -> str:
    return _typeset(None if value is None else f"{value:.{digits}f}")


def _signed(value: float | None, digits: int = 2) -> str:
    return _typeset(None if value is None else f"{value:+.{digits}f}")


def _typeset(figure: str | None) -> str:
    return "\N{EN DASH}" if figure is None else figure.replace("-", "\N{MINUS SIGN}")


def _money(value: float) -> str:
    return f"{value:,.0f}"
