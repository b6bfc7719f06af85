"""Which figure of which stage becomes which metric: the one table between results and the catalogue.

Stages know nothing of Prometheus: what they hand on or track anyway is looked up here by its name.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from experiment_tracking.metric_samples import Sample
from MLOps import metric_catalogue as catalogue
from MLOps.metric_catalogue import Metric
from MLOps.stage import Scalar


@dataclass(frozen=True)
class Figure:
    """A figure of a stage.

    Attributes
    ----------
    pattern : str
        Regular expression of the figure's whole name; its named groups are values of labels, beside the facts of the
        run.
    metric : Metric
        What it is called outside.
    job : str
        Under which it is reported where several stages tell the same; the stage if empty.
    """

    pattern: str
    metric: Metric
    job: str = ""


_CHAMPION = (
    Figure(r"(?P<family>[\w-]+)\.champion_version", catalogue.CHAMPION_VERSION, job="champions"),
    Figure(r"(?P<family>[\w-]+)\.champion_since_timestamp_seconds", catalogue.CHAMPION_SINCE, job="champions"),
    Figure(r"(?P<family>[\w-]+)\.champion_has_verdict", catalogue.CHAMPION_HAS_VERDICT, job="champions"),
)


_PROMOTION = (
    Figure("passed", catalogue.PROMOTION_PASSED),
    Figure(r"gate_passed/(?P<gate>\w+)", catalogue.PROMOTION_GATE_PASSED),
    *_CHAMPION,
)


_STRATEGY = r"(?P<strategy>\w+)"
_TRAINING = (
    Figure("episode_reward", catalogue.TRAINING_REWARD),
    # Libraries differ in what they call a loss; the first that a training tracked is told.
    *(Figure(f"train/{name}", catalogue.TRAINING_LOSS) for name in ("loss", "critic_loss", "value_loss")),
)

_SUBJECT = r"(?P<subject>\w+)"
_DRIFT = (
    Figure(rf"{_SUBJECT}\.status", catalogue.DRIFT_STATUS),
    Figure(rf"{_SUBJECT}\.drifted_fraction", catalogue.DRIFT_SHARE),
    Figure(rf"{_SUBJECT}\.missing_fraction", catalogue.DRIFT_MISSING),
    Figure(rf"{_SUBJECT}\.score\.(?P<column>[^.]+)\.(?P<method>\w+)", catalogue.DRIFT_SCORE),
    Figure(rf"{_SUBJECT}\.checked_timestamp_seconds", catalogue.DRIFT_LAST_CHECK),
)

_FRESHNESS = (
    Figure(r"sessions_behind/(?P<source>.+)", catalogue.DATA_STALENESS, job="data"),
    Figure(r"is_replay/(?P<source>.+)", catalogue.DATA_IS_REPLAY, job="data"),
)

FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "ingest_data": (Figure("bars", catalogue.STAGE_ROWS), *_FRESHNESS),
    "ingest_crypto_bars": (Figure("bars", catalogue.STAGE_ROWS), *_FRESHNESS),
    "check_freshness": _FRESHNESS,
    "build_features": (Figure("rows", catalogue.STAGE_ROWS),),
    "prepare_sentiment_dataset": (Figure("sentences", catalogue.STAGE_ROWS),),
    "score_news": (Figure("articles", catalogue.STAGE_ROWS),),
    "measure_signal_rates": (
        Figure("bars", catalogue.STAGE_ROWS),
        Figure(r"signal_rate_(?P<window>\d+)_by_[a-z]+/(?P<ticker>(?!all_tickers).+)", catalogue.SIGNAL_RATE),
    ),
    "train_rl_agent": _TRAINING,
    "train_sentiment_model": _TRAINING,
    "train_rainbow": (Figure("episode_reward", catalogue.TRAINING_REWARD), Figure("loss", catalogue.TRAINING_LOSS)),
    "run_backtest": (
        Figure("sessions", catalogue.STAGE_ROWS),
        Figure(rf"{_STRATEGY}\.sharpe", catalogue.BACKTEST_SHARPE),
        Figure(rf"{_STRATEGY}\.annual_return", catalogue.BACKTEST_RETURN),
        Figure(rf"{_STRATEGY}\.max_drawdown", catalogue.BACKTEST_DRAWDOWN),
    ),
    "promote_to_paper": _PROMOTION,
    "promote_sentiment_model": _PROMOTION,
    "evaluate_crypto_timing": (Figure("cycles", catalogue.STAGE_ROWS),),
    "promote_crypto_timing": _PROMOTION,
    "check_champions": _CHAMPION,
    "check_data_drift": _DRIFT,
}
"""By stage."""

_ABSENT = "absent_subjects"
_FORGOTTEN_AFTER_SECONDS = 28 * 86400
"""A drift answer that no check renewed for so long is no figure any more; `DriftCheckOverdue` told of it by then."""


def gone_from(details: Mapping[str, Scalar], now: float) -> Callable[[Sequence[Sample]], set[tuple[str, str]]]:
    """Which subjects of drift are to be forgotten, out of what was known of them.

    Parameters
    ----------
    details : mapping of str to scalar
        Of a result; `absent_subjects` names, with commas, those that were to be checked and are not there.
    now : float
        Seconds since 1970.
    """
    absent = {("subject", name) for name in str(details.get(_ABSENT) or "").split(",") if name}

    def find(earlier: Sequence[Sample]) -> set[tuple[str, str]]:
        checks = (sample for sample in earlier if sample.metric == catalogue.DRIFT_LAST_CHECK)
        return absent | {
            ("subject", sample.labels["subject"]) for sample in checks if now - sample.value > _FORGOTTEN_AFTER_SECONDS
        }

    return find


def samples_of(stage: str, figures: Mapping[str, float], facts: Mapping[str, str]) -> dict[str, list[Sample]]:
    """The samples that the table makes of a stage's figures, by job.

    Parameters
    ----------
    stage : str
        Name of the stage; one that the table does not know has no samples.
    figures : mapping of str to float
        Metrics, numeric details and last points of the curves, by name.
    facts : mapping of str to str
        Values of labels, by the label's name.
    """
    found: dict[str, dict[tuple[Metric, tuple[str, ...]], Sample]] = {}
    for row in FIGURES.get(stage, ()):
        for sample in _matching(row, figures, facts):
            found.setdefault(row.job or stage, {}).setdefault((sample.metric, sample.label_values), sample)
    return {job: list(samples.values()) for job, samples in found.items()}


def _matching(row: Figure, figures: Mapping[str, float], facts: Mapping[str, str]) -> Iterator[Sample]:
    for name, value in figures.items():
        if match := re.fullmatch(row.pattern, name):
            told = {**facts, **match.groupdict()}
            yield Sample(row.metric, float(value), tuple(told[label] for label in row.metric.labels))
