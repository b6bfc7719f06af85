"""What may be said of an ablation, and in which windows it may be asked at all."""

from datetime import date

import numpy as np
import pytest

from MLOps.errors import DataError
from MLOps.evaluation.sentiment_ablation import AgentRun, NewsWindow, cut_windows, news_window, summarise
from MLOps.market.panel import MarketPanel
from MLOps.settings.environment import PlayWindow

WINDOW = NewsWindow(first=date(2021, 1, 4), last=date(2021, 3, 31), sessions=61, sessions_with_news=6)


@pytest.fixture
def panel():
    """Thirty days from 2021-01-01, with news of one of two tickers from the 5th to the 24th, every other day."""
    has_news = np.zeros((30, 2))
    has_news[4:24:2, 1] = has_news[23, 1] = 1
    days = np.datetime64("2021-01-01", "D") + np.arange(30)
    return MarketPanel(days, ("AA", "BB"), np.ones((30, 2)), has_news[:, :, None], ("has_news",), np.zeros(30))


def window(first, last):
    return PlayWindow(first=date(2021, 1, first), last=date(2021, 1, last))


def runs(gain):
    market = np.random.default_rng(0).normal(0, 0.01, 60)
    performance = {"total_return": 0, "annual_return": 0, "volatility": 0, "sharpe": 0, "sortino": 0}
    performance |= {"max_drawdown": 0, "calmar": 0, "turnover": 0, "costs_paid": 0}
    return [
        AgentRun(
            seed=seed,
            sees_news=sees_news,
            performance=performance,
            returns=tuple(market + sees_news * gain + np.random.default_rng(seed).normal(0, 1e-4, 60)),
        )
        for seed in (1, 2, 3)
        for sees_news in (True, False)
    ]


@pytest.mark.parametrize(("gain", "finding"), [(0.002, "gain"), (-0.002, "loss"), (0.0, "no_difference_found")])
def test_the_finding_is_what_the_interval_allows(gain, finding, terms):
    assert summarise(runs(gain), WINDOW, WINDOW, terms, 0.8).finding == finding


def test_the_difference_is_with_less_without(terms):
    figures = summarise(runs(0.001), WINDOW, WINDOW, terms, 0.8)
    assert figures.effects.annual_return.mean > 0.2
    assert [run.seed for run in figures.runs_of(sees_news=True)] == [1, 2, 3]
    assert not any(run.sees_news for run in figures.runs_of(sees_news=False))


def test_windows_within_the_news_become_rows(panel):
    assert cut_windows(panel, window(5, 14), window(15, 24)) == (slice(4, 14), slice(14, 24))


@pytest.mark.parametrize(("train", "test"), [((4, 14), (15, 24)), ((5, 14), (15, 25))])
def test_windows_beyond_the_news_are_refused(panel, train, test):
    with pytest.raises(DataError, match="reaches beyond the news, which run from 2021-01-05 to 2021-01-24"):
        cut_windows(panel, window(*train), window(*test))


def test_a_window_counts_its_sessions_with_news(panel):
    told = news_window(panel, slice(4, 14))
    assert (told.first, told.last) == (date(2021, 1, 5), date(2021, 1, 14))
    assert (told.sessions, told.sessions_with_news, told.news_fraction) == (10, 5, 0.5)
