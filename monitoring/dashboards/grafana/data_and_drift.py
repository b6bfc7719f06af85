"""Whether data is fresh, valid, and still like that which the models learned from."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.grafana.panels import Query, State, bars, curve, figure, page, states

_DRIFT = {0: State("no drift", "green"), 1: State("drift", "red"), 2: State("could not check", "orange")}
_CLOCK = {0: State("live", "green"), 1: State("replay", "blue")}
_SHOWN_COLUMNS = 15
_PSI = 'max by (subject, column) (trading_drift_column_score{method="psi"})'


def data_and_drift() -> Dashboard:
    """The dashboard."""
    return page(
        "data_and_drift",
        "Data and drift",
        "Whether data is fresh, valid, and still like that which the models learned from.",
        {
            "Now": [
                figure(
                    "Sessions behind",
                    "Exchange sessions that the newest bar lies behind the run's clock, at the worst source.",
                    Query("max(trading_data_staleness_sessions)"),
                    alarm_from=3,
                ),
                figure(
                    "Expectations that failed",
                    "On the last input of every stage that validates. Nothing was published of such an input.",
                    Query("sum(max by (stage) (trading_validation_failed_expectations))"),
                    alarm_from=1,
                ),
                figure(
                    "Subjects that drifted",
                    "Read the drift report in MLflow; retraining starts by itself where its budget allows.",
                    Query("sum(max by (subject) (trading_drift_status) == bool 1)"),
                    alarm_from=1,
                ),
                figure(
                    "Since the oldest drift check",
                    "A subject that is no longer checked looks as it did when it was.",
                    Query("time() - min(max by (subject) (trading_drift_last_check_timestamp_seconds))"),
                    alarm_from=9 * 86400,
                    unit="s",
                ),
            ],
            "Data": [
                curve(
                    "Staleness",
                    "Exchange sessions that the newest bar lies behind the run's clock.",
                    Query("max by (source) (trading_data_staleness_sessions)", "{{source}}"),
                ),
                states(
                    "Clock",
                    "Whether the clock of a source is today's, or replays an archive.",
                    Query("max by (source) (trading_data_is_replay)", "{{source}}"),
                    _CLOCK,
                ),
                curve(
                    "Expectations that failed",
                    "On the last input of each stage that validates.",
                    Query("max by (stage) (trading_validation_failed_expectations)", "{{stage}}"),
                ),
                curve(
                    "Signal rate",
                    "Share of bars above their rolling mean in the last period, by ticker and window.",
                    Query("max by (ticker, window) (trading_signal_rate_ratio)", "{{ticker}} {{window}}"),
                    unit="percentunit",
                ),
            ],
            "Drift": [
                states(
                    "Drift",
                    "What the last check of each subject found.",
                    Query("max by (subject) (trading_drift_status)", "{{subject}}"),
                    _DRIFT,
                ),
                curve(
                    "Columns that drifted",
                    "Share of a subject's columns.",
                    Query("max by (subject) (trading_drift_drifted_columns_ratio)", "{{subject}}"),
                    unit="percentunit",
                ),
                bars(
                    f"Population stability index, highest {_SHOWN_COLUMNS}",
                    "No column drifts below 0.25; a column whose reference moved much by itself needs more.",
                    Query(f"topk({_SHOWN_COLUMNS}, {_PSI})", "{{subject}} {{column}}"),
                    alarm_from=0.25,
                ),
                curve(
                    "Missing values",
                    "Share of a subject's values that are missing in the current window.",
                    Query("max by (subject) (trading_drift_missing_values_ratio)", "{{subject}}"),
                    unit="percentunit",
                ),
            ],
        },
        since="now-30d",
    )
