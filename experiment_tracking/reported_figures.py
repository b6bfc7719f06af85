"""Which figure of which stage becomes which metric: the one table between results and the catalogue.

Stages know nothing of Prometheus: what they hand on or track anyway is looked up here by its name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from experiment_tracking.metric_sinks import Sample
from MLOps import metric_catalogue as catalogue
from MLOps.metric_catalogue import Metric


@dataclass(frozen=True)
class Figure:
    """A figure of a stage.

    Attributes
    ----------
    pattern : str
        Regular expression of the figure's whole name; its named groups are values of labels.
    metric : Metric
        What it is called outside.
    labels : mapping of str to str
        Values of labels that neither the name nor the facts of the run tell.
    """

    pattern: str
    metric: Metric
    labels: Mapping[str, str] = field(default_factory=dict)


_STRATEGY = r"(?P<strategy>\w+)"
_TRAINING = (
    Figure("episode_reward", catalogue.TRAINING_REWARD),
    # Libraries differ in what they call a loss; the first that a training tracked is told.
    *(Figure(f"train/{name}", catalogue.TRAINING_LOSS) for name in ("loss", "critic_loss", "value_loss")),
)

FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "ingest_data": (
        Figure("bars", catalogue.STAGE_ROWS),
        Figure("sessions_behind", catalogue.DATA_STALENESS),
        Figure("is_replay", catalogue.DATA_IS_REPLAY),
    ),
    "ingest_crypto_bars": (
        Figure("bars", catalogue.STAGE_ROWS),
        Figure("is_replay", catalogue.DATA_IS_REPLAY),
    ),
    "build_features": (Figure("rows", catalogue.STAGE_ROWS),),
    "prepare_sentiment_dataset": (Figure("sentences", catalogue.STAGE_ROWS),),
    "score_news": (Figure("articles", catalogue.STAGE_ROWS),),
    "measure_signal_rates": (
        Figure("bars", catalogue.STAGE_ROWS),
        Figure(r"signal_rate_(?P<window>\d+)_by_[a-z]+/(?P<ticker>.+)", catalogue.SIGNAL_RATE),
    ),
    "train_rl_agent": _TRAINING,
    "train_sentiment_model": _TRAINING,
    "run_backtest": (
        Figure("sessions", catalogue.STAGE_ROWS),
        Figure(rf"{_STRATEGY}\.sharpe", catalogue.BACKTEST_SHARPE),
        Figure(rf"{_STRATEGY}\.annual_return", catalogue.BACKTEST_RETURN),
        Figure(rf"{_STRATEGY}\.max_drawdown", catalogue.BACKTEST_DRAWDOWN),
    ),
}
"""By stage."""


def samples_of(stage: str, figures: Mapping[str, float], facts: Mapping[str, str]) -> list[Sample]:
    """The samples that the table makes of a stage's figures.

    Parameters
    ----------
    stage : str
        Name of the stage; one that the table does not know has no samples.
    figures : mapping of str to float
        Metrics, numeric details and last points of the curves, by name.
    facts : mapping of str to str
        Values of labels, by the label's name.
    """
    found: dict[tuple[Metric, tuple[str, ...]], Sample] = {}
    for row in FIGURES.get(stage, ()):
        for sample in _matching(row, figures, facts):
            found.setdefault((sample.metric, sample.label_values), sample)
    return list(found.values())


def _matching(row: Figure, figures: Mapping[str, float], facts: Mapping[str, str]) -> Iterator[Sample]:
    for name, value in figures.items():
        if match := re.fullmatch(row.pattern, name):
            told = {**facts, **row.labels, **match.groupdict()}
            yield Sample(row.metric, float(value), tuple(told[label] for label in row.metric.labels))
