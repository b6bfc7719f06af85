"""Page of the strategy: a backtest of the newest or of an earlier model beside the champion and the baselines."""

import streamlit as st

from MLOps.charts.strategy_charts import LOOKS, draw_differences, draw_drawdowns, draw_growth, draw_months
from MLOps.evaluation.comparison import CHAMPION, MODEL, Scorecard
from MLOps.settings.dashboard import DashboardSettings
from monitoring.dashboards.web.backtest_files import BacktestPaths, list_backtests, read_backtest_paths
from monitoring.dashboards.web.positions_table import positions_table
from monitoring.dashboards.web.render_blocks import Cell, Column, Tile, empty, heading, notes, section, table, tiles
from monitoring.dashboards.web.show_parts import offer_file, read_or_say, show_chart
from monitoring.dashboards.web.shown_families import read_history, stock_family
from monitoring.dashboards.web.tested_model import TestedModel, tested_model
from monitoring.dashboards.web.wording import number, percent, times

_COLUMNS = (
    Column("Strategy", "strong"),
    Column("Return a year", "number"),
    Column("Volatility", "number minor"),
    Column("Sharpe", "number"),
    Column("Deepest drawdown", "number"),
    Column("Turnover a year", "number minor"),
)

_NO_POSITIONS = "An earlier release made this backtest and kept no positions; its whole report, below, draws them."


def show_strategy(settings: DashboardSettings) -> None:
    """One backtest: whose it is, figures, growth, drawdown, positions, and how sure the differences are."""
    found = list_backtests(settings.paths.reports)
    if not found:
        st.html(heading("Strategy"))
        st.html(no_backtest())
        return
    st.html(heading("Strategy", "A model on sessions that it has never seen, costs paid."))
    chosen = found[0]
    if len(found) > 1:
        chosen = st.selectbox("Backtest", found, format_func=lambda each: each.title, key="backtest")
    history = read_or_say(lambda: read_history(settings, stock_family(settings)))
    backtest = read_or_say(lambda: read_backtest_paths(chosen.folder))
    if backtest is not None:
        _show_backtest(backtest, tested_model(chosen, history))


def no_backtest() -> str:
    """What stands where no backtest was ever made."""
    return empty(
        "No backtest yet",
        "Growth, drawdown and the comparison with the champion appear here once a model was tested.",
        "python -m pipelines.orchestration.run_strategy full_strategy",
    )


def strategy_tiles(scorecard: Scorecard) -> list[Tile]:
    """The figures of the model, each beside those of what it must beat."""
    model = scorecard.strategies[MODEL]
    name = CHAMPION if CHAMPION in scorecard.strategies else "equal_weight"
    other, label = scorecard.strategies[name], LOOKS[name].label.lower().partition(",")[0]
    return [
        Tile("Return a year", percent(model.annual_return), f"{label} {percent(other.annual_return)}"),
        Tile("Sharpe ratio", number(model.sharpe), f"{label} {number(other.sharpe)}"),
        Tile("Deepest drawdown", percent(model.max_drawdown), f"{label} {percent(other.max_drawdown)}"),
    ]


def _show_backtest(backtest: BacktestPaths, tested: TestedModel) -> None:
    card = backtest.scorecard
    model = card.strategies[MODEL]
    window = Tile("Window", f"{card.sessions} sessions", f"{card.first_date} to {card.last_date}")
    traded = Tile("Turnover a year", times(model.turnover), f"costs paid {model.costs_paid:,.0f}")
    st.html(section(tested.title, tested.told))
    st.html(tiles([*strategy_tiles(card), traded, window]))
    st.html(section("Growth", "What 100 became."))
    show_chart(draw_growth(backtest.dates, backtest.wealth), "growth")
    st.html(section("Drawdown", "Fall from the highest wealth so far."))
    show_chart(draw_drawdowns(backtest.dates, backtest.wealth), "drawdown")
    _show_positions(backtest)
    st.html(section("All strategies"))
    st.html(table(_COLUMNS, _rows(card)))
    confidence = f"{100 * card.terms.bootstrap.confidence_fraction:g}"
    lead = f"Sharpe ratio of the model less that of each strategy, with a {confidence}% interval."
    st.html(section("How sure the differences are", f"{lead} Where one crosses zero, the two cannot be told apart."))
    show_chart(draw_differences(card.sharpe_differences), "differences")
    st.html(section("Month by month", "The first and the last month may be partial."))
    with st.container(key="ta-wide"):  # scrolls on a phone
        show_chart(draw_months(backtest.returns), "months")
    offer_file(backtest.report, "Download the whole report", f"backtest-{card.last_date}.html")


def _show_positions(backtest: BacktestPaths) -> None:
    lead = f"What the test held after the close of {backtest.scorecard.last_date}; no broker holds it."
    st.html(section("Last positions", lead))
    if backtest.positions is None:
        st.html(notes([_NO_POSITIONS], "quiet"))
    else:
        st.html(positions_table(backtest.positions))


def _rows(card: Scorecard) -> list[tuple[Cell, ...]]:
    return [
        (
            look.label,
            percent(row.annual_return),
            percent(row.volatility),
            number(row.sharpe),
            percent(row.max_drawdown),
            times(row.turnover),
        )
        for name, look in LOOKS.items()
        if (row := card.strategies.get(name)) is not None
    ]
