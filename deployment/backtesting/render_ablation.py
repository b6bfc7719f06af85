"""The report of the sentiment ablation: one HTML file that needs no network."""

from dataclasses import dataclass

from deployment.backtesting.draw_ablation import draw_growth, draw_seeds
from deployment.backtesting.render_page import PageFacts, render_page
from MLOps.evaluation.sentiment_ablation import AblationFigures, AgentRun

_TEMPLATE = "ablation.html.j2"


@dataclass(frozen=True, kw_only=True)
class AblationFacts(PageFacts):
    """What the ablation's report says beside its figures.

    Attributes
    ----------
    agent : str
        Library and algorithm.
    timesteps : int
        Budget of each agent, in sessions played.
    news_columns : tuple of str
        What one agent of a pair sees, and the other does not.
    """

    agent: str
    timesteps: int
    news_columns: tuple[str, ...]


def render_ablation(figures: AblationFigures, facts: AblationFacts) -> str:
    """The report as HTML. The same arguments give the same text: it holds no time and no path."""
    effects = figures.effects
    charts = {"growth": draw_growth(figures), "annual_return": draw_seeds(figures, "annual_return")}
    if effects.sharpe is not None:
        charts["sharpe"] = draw_seeds(figures, "sharpe")
    return render_page(
        _TEMPLATE, charts, facts, figures=figures, effects=effects, terms=figures.terms, pairs=_pairs(figures)
    )


def _pairs(figures: AblationFigures) -> list[tuple[AgentRun, AgentRun]]:
    """With and without the news, seed by seed."""
    return list(zip(figures.runs_of(sees_news=True), figures.runs_of(sees_news=False), strict=True))
