"""What the news are worth to an agent: the figures of agents with and without them, and what may be said of them."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from MLOps.errors import DataError
from MLOps.evaluation.paired_seeds import PairedEffects, paired_effects
from MLOps.evaluation.performance import Performance
from MLOps.market.accounting import FloatArray
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import EvaluationTerms
from MLOps.settings.environment import EnvironmentSettings, PlayWindow

HAS_NEWS = "has_news"
_SENTIMENT = ("sentiment", "ticker_sentiment")
Finding = Literal["gain", "loss", "no_difference_found"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentRun(_Record):
    """What one agent did on the test window."""

    seed: int = Field(description="Of the training.")
    sees_news: bool = Field(description="Whether the news columns were shown to it.")
    performance: Performance = Field(description="Its figures.")
    returns: tuple[float, ...] = Field(description="Its simple returns, session by session.")


class NewsWindow(_Record):
    """A window of the ablation, and how much the news had to say in it."""

    first: date = Field(description="First session.")
    last: date = Field(description="Last session.")
    sessions: int = Field(ge=2, description="Number of sessions.")
    sessions_with_news: int = Field(ge=0, description="Those of them for which at least one article became known.")

    @property
    def news_fraction(self) -> float:
        """Part of the sessions that have news."""
        return self.sessions_with_news / self.sessions


class AblationFigures(_Record):
    """The figures of an ablation: the content of ablation.json."""

    train: NewsWindow = Field(description="What the agents learned from.")
    test: NewsWindow = Field(description="What they were compared on.")
    terms: EvaluationTerms = Field(description="Terms that all of them traded on.")
    runs: tuple[AgentRun, ...] = Field(description="Every agent, seed by seed, with the news and without.")
    effects: PairedEffects = Field(description="With the news less without.")

    def runs_of(self, sees_news: bool) -> list[AgentRun]:
        """The agents with the news, or those without, in the order of the seeds given."""
        return [run for run in self.runs if run.sees_news == sees_news]

    @property
    def finding(self) -> Finding:
        """What the interval of the yearly return allows to say of this window, and of no other."""
        effect = self.effects.annual_return
        if effect.lower > 0:
            return "gain"
        return "loss" if effect.upper < 0 else "no_difference_found"


def summarise(
    runs: Sequence[AgentRun], train: NewsWindow, test: NewsWindow, terms: EvaluationTerms, power_fraction: float
) -> AblationFigures:
    """All figures of an ablation.

    Parameters
    ----------
    runs : sequence of AgentRun
        For each seed one with the news and one without, over the same sessions; both in the same order of seeds.
    """
    effects = paired_effects(
        _returns(runs, sees_news=True),
        _returns(runs, sees_news=False),
        terms.sessions_per_year,
        terms.bootstrap,
        power_fraction,
    )
    return AblationFigures(train=train, test=test, terms=terms, runs=tuple(runs), effects=effects)


def cut_windows(panel: MarketPanel, train: PlayWindow, test: PlayWindow) -> tuple[slice, slice]:
    """Rows of the panel to learn from and to trade.

    Raises
    ------
    DataError
        If no session has news, a window reaches beyond the first or the last one that has, or a window has fewer
        than two sessions.
    """
    covered = panel.dates[_has_news(panel)]
    if not covered.size:
        raise DataError(
            "no session of the features has news", "features built with scored news", "build_features, scores_path"
        )
    first, last = covered[0].item(), covered[-1].item()
    for name, window in (("train", train), ("test", test)):
        if window.first < first or window.last > last:
            raise DataError(
                f"{name}: {window.first} to {window.last} reaches beyond the news, which run from {first} to {last}",
                f"dates from {first} to {last}",
                f"{name}.first and {name}.last in config/stages/run_sentiment_ablation.yaml",
            )
    rows = panel.rows_between(train.first, train.last), panel.rows_between(test.first, test.last)
    for name, cut in zip(("train", "test"), rows, strict=True):
        if cut.stop - cut.start < 2:
            raise DataError(f"{name}: a window of 1 session", "at least 2 sessions", f"{name}.first and {name}.last")
    return rows


def news_window(panel: MarketPanel, rows: slice) -> NewsWindow:
    """What is to be told of the rows of a panel."""
    dates = panel.dates[rows]
    return NewsWindow(
        first=dates[0].item(),
        last=dates[-1].item(),
        sessions=len(dates),
        sessions_with_news=int(_has_news(panel)[rows].sum()),
    )


def has_sentiment(panel: MarketPanel) -> bool:
    """Whether the sentiment differs from 0 anywhere; that of news without scores does not."""
    columns = [panel.feature_names.index(name) for name in _SENTIMENT]
    return bool(panel.features[:, :, columns].any())


def news_columns(environment: EnvironmentSettings) -> tuple[str, ...]:
    """Columns of the observation that come from the news."""
    return tuple(name for name in environment.feature_names if name not in environment.indicators)


def _has_news(panel: MarketPanel) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(T,) whether any ticker has news."""
    column: FloatArray = panel.features[:, :, panel.feature_names.index(HAS_NEWS)]
    return np.asarray((column > 0).any(axis=1))


def _returns(runs: Sequence[AgentRun], sees_news: bool) -> FloatArray:
    """(S, K) in the order given."""
    return np.array([run.returns for run in runs if run.sees_news == sees_news])
