"""The report: self-contained, complete, the same each time, and safe with strange names."""

import re
from dataclasses import replace

import numpy as np
import pytest

from deployment.backtesting.draw_charts import draw_weights
from deployment.backtesting.judged_before import Tries
from deployment.backtesting.render_report import ReportFacts, render_report
from MLOps.charts.strategy_charts import LOOKS
from MLOps.evaluation.comparison import compare
from MLOps.inference.policy import EqualWeightPolicy
from MLOps.settings.backtest import AccountSettings, BacktestTerms, BaselineSettings, BootstrapSettings

FACTS = ReportFacts(
    model="stock_trading version 3",
    champion="stock_trading version 1",
    tickers=("AAA", "BBB", "CCC"),
    warnings=("REPLAY: nothing here is live.", "Survivorship: winners only."),
    sources={"Licence": "MIT"},
)
TRIES = Tries(others=3, confidence_fraction=0.9)


class Momentum:
    """Holds what rose on the last day."""

    def orders(self, panel, t, _cash, shares):
        return np.where(panel.close[t] > panel.close[t - 1], 500.0, -shares)


@pytest.fixture(scope="module")
def terms():
    return BacktestTerms(
        account=AccountSettings(
            starting_cash=1e6,
            buy_cost_bps=10,
            sell_cost_bps=10,
            execution_lag_sessions=1,
            allow_fractional_shares=False,
            slippage_bps=0,
            linear_impact_bps=0,
            root_impact_bps=0,
        ),
        sessions_per_year=252,
        baselines=BaselineSettings(lookback_sessions=40, refit_sessions=10, random_paths=5, random_seed=3),
        bootstrap=BootstrapSettings(resamples=100, confidence_fraction=0.9, seed=4),
    )


@pytest.fixture(scope="module")
def comparison(panel, terms):
    return compare({"model": Momentum(), "champion": EqualWeightPolicy()}, panel, slice(110, 160), terms)


@pytest.fixture(scope="module")
def report(comparison, terms):
    return render_report(comparison, terms, FACTS, TRIES)


def prose(html):
    """What a reader sees: scripts and styles left out, tags removed."""
    html = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_loads_nothing_from_anywhere(report):
    assert not re.findall(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=""", report)
    assert report.count("<script>/**") == 1  # Plotly itself, once


def test_tells_models_window_warnings_and_method(report):
    text = prose(report)
    for words in (
        "Backtest, 2021-06-07 to 2021-08-13",
        "stock_trading version 3 on 3 tickers over 50 sessions",
        "the champion, stock_trading version 1",
        "REPLAY: nothing here is live.",
        "Survivorship: winners only.",
        "filled at the next close",
        "100 resamples",
    ):
        assert words in text


def test_the_table_holds_every_strategy_and_its_interval(report, comparison):
    text = prose(report)
    for name, found in comparison.scorecard.sharpe_differences.items():
        assert LOOKS[name].label in text
        if found is not None:
            assert f"{found.lower:+.2f} to {found.upper:+.2f}".replace("-", "\N{MINUS SIGN}") in text
    assert f"{comparison.scorecard.strategies['model'].sharpe:.2f}".replace("-", "\N{MINUS SIGN}") in text


def test_every_chart_is_there_once(report):
    found = re.findall(r'<div id="chart-([a-z_]+)"', report)
    assert sorted(found) == ["champion_weights", "costs", "differences", "drawdowns", "equity", "months", "weights"]


def test_the_same_backtest_gives_the_same_bytes(report, comparison, terms):
    assert render_report(comparison, terms, FACTS, TRIES) == report


def test_says_that_no_lag_flatters(comparison, terms):
    account = terms.account.model_copy(update={"execution_lag_sessions": 0})
    text = prose(render_report(comparison, terms.model_copy(update={"account": account}), FACTS, TRIES))
    assert "decided and filled at the same close" in text
    assert "nobody can trade so" in text


def test_says_how_worn_the_window_is(report, comparison, terms):
    assert "3 other models were judged on prices of this window before" in prose(report)
    assert "Of 4 without any edge, at least one would by luck" in prose(report)
    assert "up to about 19%" in prose(report)  # 1 - 0.95^4
    first = prose(render_report(comparison, terms, FACTS, Tries(0, 0.9)))
    assert "No other model was judged on these prices before" in first
    assert "by luck" not in first
    second = prose(render_report(comparison, terms, FACTS, Tries(1, 0.9)))
    assert "1 other model was judged" in second


def test_names_cannot_break_out_of_the_page(comparison, terms):
    evil = "</script><script>alert(1)</script>"
    facts = replace(FACTS, model=evil, warnings=(evil,), tickers=(evil, "BBB", "CCC"), sources={"Data": evil})
    assert evil not in render_report(comparison, terms, facts, TRIES)


def test_a_model_that_stands_still_gets_dashes(panel, terms):
    class Idle:
        def orders(self, *_known):
            return np.zeros(3)

    idle = compare({"model": Idle()}, panel, slice(110, 160), terms)
    text = prose(render_report(idle, terms, replace(FACTS, champion=""), TRIES))
    assert "champion" not in text.lower()
    assert "Model 0.0% 0.0% 0.0% \N{EN DASH} \N{EN DASH} 0.0% \N{EN DASH} 0.0\N{MULTIPLICATION SIGN} 0" in text


def test_a_wide_universe_shares_one_band(comparison):
    path = comparison.paths["model"]
    wide = replace(path, weights=np.full((50, 40), 1 / 40))
    names = [trace.name for trace in draw_weights(wide, tuple(f"T{n:02d}" for n in range(40))).data]
    assert names[-2:] == ["28 others", "Cash"]
    assert len(names) == 14
