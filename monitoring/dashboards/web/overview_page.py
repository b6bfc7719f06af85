"""The first page: data, champion, newest backtest, drift, alerts and stages at a glance."""

import streamlit as st

from MLOps.charts.strategy_charts import draw_growth
from MLOps.settings.dashboard import DashboardSettings
from monitoring.dashboards.web.alert_history import read_alerts
from monitoring.dashboards.web.alerts_page import firing_tile
from monitoring.dashboards.web.backtest_files import BacktestPaths, list_backtests, read_backtest_paths
from monitoring.dashboards.web.champions_page import champion_tile, verdict_words
from monitoring.dashboards.web.drift_history import by_subject, read_checks
from monitoring.dashboards.web.drift_page import drift_tile
from monitoring.dashboards.web.family_history import FamilyHistory
from monitoring.dashboards.web.market_data import MarketData, read_market_data
from monitoring.dashboards.web.render_blocks import empty, heading, notes, section, tiles
from monitoring.dashboards.web.runs_page import stage_table
from monitoring.dashboards.web.show_parts import read_or_say, show_chart
from monitoring.dashboards.web.shown_families import BUY_TIMING, read_history, stock_family
from monitoring.dashboards.web.stage_health import read_stage_health
from monitoring.dashboards.web.strategy_page import strategy_tiles
from monitoring.dashboards.web.tested_model import TestedModel, tested_model
from monitoring.dashboards.web.timing_files import TimingEvaluation, list_evaluations
from monitoring.dashboards.web.timing_page import coin_tile
from monitoring.dashboards.web.wording import count


def show_overview(settings: DashboardSettings) -> None:
    """Everything at a glance; before the first run, how to begin."""
    reports = settings.paths.reports
    data, backtests, health = read_market_data(settings.paths.raw), list_backtests(reports), read_stage_health(settings)
    _show_heading(data)
    if data is None and not backtests and not health:
        st.html(
            empty(
                "Nothing has run yet",
                "One command fetches real prices, trains an agent, tests it on sessions it has never seen and lets the "
                "gates decide; this page fills while it works.",
                "make demo",
            )
        )
        return
    history = read_or_say(lambda: read_history(settings, stock_family(settings)))
    backtest = read_or_say(lambda: read_backtest_paths(backtests[0].folder)) if backtests else None
    champion = [champion_tile(history)] if history else []
    st.html(tiles([*champion, drift_tile(by_subject(read_checks(reports))), firing_tile(read_alerts(reports))]))
    if backtest is not None:
        _show_backtest(backtest, tested_model(backtests[0], history))
    if history is not None:
        _show_decision(history)
    _show_timing(list_evaluations(reports))
    if health:
        st.html(section("Stages", "How the last run of each ended."))
        st.html(stage_table(health))
    if data is not None and data.warnings:
        st.html(section("About these data"))
        st.html(notes(data.warnings))


def _show_heading(data: MarketData | None) -> None:
    if data is None:
        st.html(heading("Trading agents"))
        return
    lead = f"Bars of {count(data.tickers, 'ticker')} to {data.as_of}, from {data.source}."
    if data.is_replay:
        lead += " The clock replays an archive, a session a day: nothing here is live."
    st.html(heading("Trading agents", lead, "REPLAY" if data.is_replay else ""))


def _show_backtest(backtest: BacktestPaths, tested: TestedModel) -> None:
    """The newest backtest, under the name of its own model, which need not be the champion."""
    card = backtest.scorecard
    st.html(section(f"Newest backtest: {tested.title}", tested.told))
    st.html(tiles([tested.tile, *strategy_tiles(card)]))
    st.caption(f"{card.first_date} to {card.last_date}: what 100 became, costs paid.")
    show_chart(draw_growth(backtest.dates, backtest.wealth), "growth")


def _show_timing(evaluations: list[TimingEvaluation]) -> None:
    """The newest evaluation of each coin."""
    newest = {each.coin: each for each in reversed(evaluations)}
    if newest:
        st.html(section(BUY_TIMING, "What the newest model of each coin saved in the cycles that it was judged on."))
        st.html(tiles([coin_tile(newest[coin]) for coin in sorted(newest)]))


def _show_decision(history: FamilyHistory) -> None:
    if history.fault:
        st.html(notes([history.fault], "bad"))
    if not history.judged:
        return
    model, verdict = history.judged[0]
    st.html(section("Last decision", f"{verdict_words(model, verdict)}."))
    if verdict.reasons:
        st.html(notes(verdict.reasons, "note"))
