"""What backtests showed, what the gates decided, and who is champion."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.grafana.panels import IS_WELL, Column, Query, curve, figure, page, rows_of, states

_IS_THERE = "(max by (family) (trading_champion_version) > bool 0)"


def strategy_and_champion() -> Dashboard:
    """The dashboard."""
    return page(
        "strategy_and_champion",
        "Strategy and champion",
        "What backtests showed, what the gates decided, and who is champion.",
        {
            "Now": [
                figure(
                    "Families without a champion",
                    "Nothing of them may be served or traded. Their promotion seeds the baseline.",
                    Query("sum(max by (family) (trading_champion_version) == bool 0)"),
                    alarm_from=1,
                ),
                figure(
                    "Champions without a verdict",
                    "No gate let that version through. Move the alias back, and find out who moved it.",
                    Query(f"sum({_IS_THERE} * (1 - min by (family) (trading_champion_has_verdict)))"),
                    alarm_from=1,
                ),
                figure(
                    "Age of the oldest champion",
                    "No newer model of its family passed the gates since.",
                    Query("time() - min(max by (family) (trading_champion_since_timestamp_seconds))"),
                    alarm_from=90 * 86400,
                    unit="s",
                ),
                figure(
                    "Deepest drawdown",
                    "In the last backtest of the model or the champion, beside the promotion gate's limit.",
                    Query('max(trading_backtest_max_drawdown_ratio{strategy=~"model|champion"})'),
                    alarm_from=0.35,
                    unit="percentunit",
                ),
            ],
            "Last backtest": [
                rows_of(
                    "Strategies side by side",
                    "The model beside its baselines, with costs, on dates that it has not seen.",
                    (
                        Column("Sharpe ratio", "max by (strategy) (trading_backtest_sharpe_ratio)"),
                        Column(
                            "annual return", "max by (strategy) (trading_backtest_annual_return_ratio)", "percentunit"
                        ),
                        Column(
                            "max drawdown", "max by (strategy) (trading_backtest_max_drawdown_ratio)", "percentunit"
                        ),
                    ),
                    width=12,
                ),
                curve(
                    "Sharpe ratio",
                    "Annualised, of each strategy.",
                    Query("max by (strategy) (trading_backtest_sharpe_ratio)", "{{strategy}}"),
                ),
                curve(
                    "Annual return",
                    "Of each strategy.",
                    Query("max by (strategy) (trading_backtest_annual_return_ratio)", "{{strategy}}"),
                    unit="percentunit",
                ),
                curve(
                    "Max drawdown",
                    "Deepest fall from a peak, of each strategy.",
                    Query("max by (strategy) (trading_backtest_max_drawdown_ratio)", "{{strategy}}"),
                    unit="percentunit",
                ),
            ],
            "Promotion": [
                states(
                    "Verdict",
                    "Whether the last challenger of each family passed. That one does not is a normal result.",
                    Query("max by (family) (trading_promotion_passed)", "{{family}}"),
                    IS_WELL,
                ),
                states(
                    "Gates",
                    "Which gates the last challenger of each family passed.",
                    Query("max by (family, gate) (trading_promotion_gate_passed)", "{{family}} {{gate}}"),
                    IS_WELL,
                ),
                rows_of(
                    "Champions",
                    "Which version of each family serves, since when, and by what right.",
                    (
                        Column("version", "max by (family) (trading_champion_version)"),
                        Column("age", "time() - max by (family) (trading_champion_since_timestamp_seconds)", "s"),
                        Column("verdict", "min by (family) (trading_champion_has_verdict)", meaning=IS_WELL),
                    ),
                    width=12,
                ),
                curve(
                    "Champion's version",
                    "A step is a promotion, or a move back.",
                    Query("max by (family) (trading_champion_version)", "{{family}}"),
                ),
            ],
        },
        since="now-30d",
    )
