"""Stage run_sentiment_ablation: the same agent with and without the news, over several seeds.

Makes reports/ablations/<last session>-<key>/ with ablation.json and report.html: the difference by seed, its
interval, and the smallest difference that would have shown. A killed run goes on after the last whole agent.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.backtesting.render_ablation import AblationFacts, render_ablation
from deployment.backtesting.tell_origin import FEATURES, features_file, tell_origin
from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, check_unaltered, make_once, read_result, write_text
from MLOps.errors import DataError
from MLOps.evaluation.sentiment_ablation import (
    AblationFigures,
    AgentRun,
    cut_windows,
    has_sentiment,
    news_columns,
    news_window,
    summarise,
)
from MLOps.kept_results import KeptResults
from MLOps.market.panel import MarketPanel, read_panel
from MLOps.settings.sentiment_ablation import SentimentAblationSettings
from MLOps.stage import Scalar, Stage, StageResult, Tracker, ValueFlag

if TYPE_CHECKING:
    from MLOps.training.news_ablation import NewsAblation

_LOG = logging.getLogger(__name__)
_CHECKPOINTS = ".checkpoints"


def run_sentiment_ablation(settings: SentimentAblationSettings, tracker: Tracker) -> StageResult:
    """Train every pair of agents, let them trade the test window, and report on the difference.

    Raises
    ------
    DataError
        If the features are missing or malformed or were altered after they were made, their news have no scores,
        or a window reaches beyond the news.
    ModelError
        If a training diverges.
    """
    from MLOps.training.news_ablation import NewsAblation

    features = features_file(settings.paths, settings.features_path)
    check_unaltered(features.parent)
    panel = read_panel(features, settings.environment.feature_names, settings.environment.universe)
    train, test = cut_windows(panel, settings.train, settings.test)
    _refuse_unscored(panel, features)
    ablation = NewsAblation(panel, train, test, settings.environment, settings.agent, settings.training, settings.terms)
    facts = _facts(features, panel.tickers, settings)

    def kept(key: str) -> KeptResults[AgentRun]:
        return KeptResults(settings.paths.models / _CHECKPOINTS / key, AgentRun)

    def make(folder: Path, key: str) -> Made:
        runs = _run_agents(ablation, kept(key), tracker, settings.show_progress)
        windows = news_window(panel, train), news_window(panel, test)
        figures = summarise(runs, *windows, settings.terms, settings.power_fraction)
        write_text(folder / "ablation.json", figures.model_dump_json(indent=2) + "\n")
        write_text(folder / "report.html", render_ablation(figures, facts))
        return Made(
            files={"ablation": "ablation.json", "report": "report.html"},
            metrics=_metrics(figures),
            details=_details(figures, facts),
        )

    output = Output(
        stage=STAGE.name,
        root=settings.paths.reports / "ablations",
        settings=settings,
        inputs={"features": features},
        label=str(panel.dates[test.stop - 1]),
        extra=facts.identity(),
        packages=("arch", "elegantrl", "gymnasium", "numba", "numpy", "plotly", "stable-baselines3", "torch"),
    )
    result = make_once(output, make, tracker)
    kept(result.key).remove()
    _LOG.info("the report lies at %s", result.artifacts["report"].path)
    return result


def _refuse_unscored(panel: MarketPanel, features: Path) -> None:
    """What articles without scores are worth says nothing of the sentiment."""
    made = read_result(features.parent)
    is_scored = made is not None and bool(made.details.get("sentiment_model_sha256"))
    if not is_scored and not has_sentiment(panel):
        raise DataError(
            f"{features}: the news have no scores, their sentiment is 0 throughout",
            "features built with scored news",
            "build_features, scores_path",
        )


def _run_agents(
    ablation: "NewsAblation", kept: KeptResults[AgentRun], tracker: Tracker, show_bar: bool
) -> list[AgentRun]:
    """Every agent, seed by seed; those that an earlier try has kept are not trained again."""
    seeds = ablation.training.seeds
    runs = []
    for position, seed in enumerate(seeds):
        _LOG.info("seed %d, pair %d of %d", seed, position + 1, len(seeds))
        for sees_news in (True, False):
            part = f"seed-{seed}-{'with' if sees_news else 'without'}-news"
            run = kept.load(part)
            if run is None:
                run = ablation.run(seed, sees_news, show_bar)
                kept.save(part, run)
            runs.append(run)
        with_news, without = (run.performance.total_return for run in runs[-2:])
        tracker.metrics({"total_return_difference": with_news - without}, step=position)
    return runs


def _facts(features: Path, tickers: tuple[str, ...], settings: SentimentAblationSettings) -> AblationFacts:
    """What the report says of data and agent."""
    warnings, sources = tell_origin(features)
    return AblationFacts(
        agent=f"{settings.agent.library}/{settings.agent.algorithm}",
        timesteps=settings.training.total_timesteps,
        news_columns=news_columns(settings.environment),
        tickers=tickers,
        warnings=warnings,
        sources=sources,
    )


def _metrics(figures: AblationFigures) -> dict[str, float]:
    """Ends and power of every interval, as ``<figure>_difference<_lower|_upper|_detectable>``, and the news."""
    told: dict[str, float] = {
        "train_news_fraction": figures.train.news_fraction,
        "test_news_fraction": figures.test.news_fraction,
    }
    effects = {"annual_return": figures.effects.annual_return, "sharpe": figures.effects.sharpe}
    for name, effect in effects.items():
        if effect is not None:
            told[f"{name}_difference"] = effect.mean
            told[f"{name}_difference_lower"] = effect.lower
            told[f"{name}_difference_upper"] = effect.upper
            told[f"{name}_difference_detectable"] = effect.detectable
    return told


def _details(figures: AblationFigures, facts: AblationFacts) -> dict[str, Scalar]:
    return {
        "agent": facts.agent,
        "seeds": figures.effects.seeds,
        "train": f"{figures.train.first} to {figures.train.last}",
        "test": f"{figures.test.first} to {figures.test.last}",
        "finding": figures.finding,
        "tickers": ",".join(facts.tickers),
        "data_warnings": " | ".join(facts.warnings),
    }


STAGE = Stage(
    name="run_sentiment_ablation",
    settings_type=SentimentAblationSettings,
    run=run_sentiment_ablation,
    flags=(ValueFlag("features_path", "features_path", f"features file (default: data/processed/{FEATURES})"),),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
