"""Every metric that leaves for Prometheus: its name, what it says, its labels.

Stages and servers may report what stands here and nothing else; alert rules and dashboards may ask for what stands
here and nothing else. Names follow https://prometheus.io/docs/practices/naming/: a prefix of the project, the base
unit last. A label takes few values; none carries a date, a digest or a path.
"""

from dataclasses import dataclass

PREFIX = "trading_"


@dataclass(frozen=True)
class Metric:
    """A gauge.

    Attributes
    ----------
    name : str
        As Prometheus stores it.
    help : str
        One line for a person.
    labels : tuple of str
        Names of its labels; every sample has them all.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


def _gauge(name: str, told: str, *labels: str) -> Metric:
    return Metric(f"{PREFIX}{name}", told, labels)


STAGE_DURATION = _gauge("stage_duration_seconds", "Wall time of the stage's last run.", "stage")
STAGE_SUCCESS = _gauge("stage_success", "1 if the stage's last run succeeded, else 0.", "stage")
STAGE_LAST_RUN = _gauge("stage_last_run_timestamp_seconds", "When the stage's last run ended.", "stage")
STAGE_LAST_SUCCESS = _gauge("stage_last_success_timestamp_seconds", "When the stage last succeeded.", "stage")
STAGE_USUAL_DURATION = _gauge(
    "stage_usual_duration_seconds",
    "Median wall time of the stage's earlier runs that made something, of comparable ones if it trains; else NaN.",
    "stage",
)
STAGE_ROWS = _gauge("stage_rows", "Rows that the stage's last run wrote or measured.", "stage")

DATA_STALENESS = _gauge(
    "data_staleness_sessions", "Exchange sessions that the newest bar lies behind the run's clock.", "source"
)
DATA_IS_REPLAY = _gauge("data_is_replay", "1 if the clock replays an archive, else 0.", "source")
VALIDATION_FAILED = _gauge("validation_failed_expectations", "Expectations that the last input failed.", "stage")

DRIFT_STATUS = _gauge("drift_status", "Last drift check: 0 no drift, 1 drift, 2 could not check.", "subject")
DRIFT_SHARE = _gauge("drift_drifted_columns_ratio", "Share of columns that drifted, 0 to 1.", "subject")
DRIFT_SCORE = _gauge("drift_column_score", "Drift score of a column.", "subject", "column", "method")
DRIFT_MISSING = _gauge("drift_missing_values_ratio", "Share of missing values in the current window.", "subject")
DRIFT_LAST_CHECK = _gauge("drift_last_check_timestamp_seconds", "When drift was last checked.", "subject")

TRAINING_REWARD = _gauge("training_reward", "Mean reward of an episode at the end of the last training.", "model")
TRAINING_USUAL_REWARD = _gauge(
    "training_usual_reward",
    "Median reward of earlier trainings of the same kind of agent, market and budget; NaN where there is none.",
    "model",
)
TRAINING_REWARD_SPREAD = _gauge(
    "training_usual_reward_spread",
    "Standard deviation of those rewards, by their median absolute deviation; NaN of fewer than three.",
    "model",
)
TRAINING_LOSS = _gauge("training_loss", "Loss at the end of the last training.", "model")
TRAINING_DIVERGED = _gauge(
    "training_diverged", "1 if the last training ended in NaN or infinity, else 0.", "model", "stage"
)

BACKTEST_SHARPE = _gauge("backtest_sharpe_ratio", "Annualised Sharpe ratio in the last backtest.", "strategy")
BACKTEST_RETURN = _gauge("backtest_annual_return_ratio", "Annualised return in the last backtest.", "strategy")
BACKTEST_DRAWDOWN = _gauge("backtest_max_drawdown_ratio", "Deepest fall from a peak, 0 to 1.", "strategy")

# The label `family` is the name that a family's models are registered under: each coin's buy-timing has one of its own.
PROMOTION_PASSED = _gauge("promotion_passed", "1 if the last verdict was a pass, else 0.", "family")
PROMOTION_GATE_PASSED = _gauge("promotion_gate_passed", "1 if the gate passed in the last verdict.", "family", "gate")
CHAMPION_VERSION = _gauge("champion_version", "Version of the champion; 0 if there is none.", "family")
CHAMPION_SINCE = _gauge("champion_since_timestamp_seconds", "When the champion was registered.", "family")
CHAMPION_HAS_VERDICT = _gauge(
    "champion_has_verdict", "1 if a passing verdict, or the definition of the family, made the champion.", "family"
)
SIGNAL_RATE = _gauge("signal_rate_ratio", "Share of bars above their rolling mean, last period.", "ticker", "window")

ALERTS_UNDELIVERED = _gauge("alerts_undelivered", "Alert events that wait for delivery.")
ALERTS_LAST_DELIVERY = _gauge("alerts_last_delivery_timestamp_seconds", "When an alert event was last delivered.")

_NAMED = [metric for metric in list(globals().values()) if isinstance(metric, Metric)]

CATALOGUE: dict[str, Metric] = {metric.name: metric for metric in _NAMED}
"""By name."""
