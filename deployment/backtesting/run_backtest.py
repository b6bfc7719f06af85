"""Stage run_backtest: a model on sessions it has never seen, beside the champion and baselines.

Makes reports/backtests/<last session>-<key>/ with returns.parquet, positions.parquet, performance.json and
report.html.
The model comes from the registry (its alias `challenger` by default) or from a folder.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployment.backtesting.choose_models import Contender, choose_models
from deployment.backtesting.judged_before import WEIGHTS, JudgedWindow, Tries, count_tries
from deployment.backtesting.render_report import ReportFacts, render_report
from deployment.backtesting.tell_origin import FEATURES, features_file, tell_origin
from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, check_unaltered, make_once, write_text
from MLOps.evaluation.comparison import CHAMPION, MODEL, Comparison, Scorecard, compare
from MLOps.inference.news_scorer import other_scorer
from MLOps.market.panel import MarketPanel, read_panel
from MLOps.market.splits import split_sessions
from MLOps.settings.backtest import BacktestSettings, BacktestTerms
from MLOps.stage import Scalar, Stage, StageResult, Tracker, ValueFlag

_LOG = logging.getLogger(__name__)


def run_backtest(settings: BacktestSettings, tracker: Tracker) -> StageResult:
    """Trade the test window with the model, the champion and the baselines, and report on it.

    Raises
    ------
    DataError
        If the features are missing or malformed, were altered after they were made, or hold no
        session of the window.
    ModelError
        If a model cannot be loaded, does not fit the data, or has learned from dates up to or after
        the window's start.
    RegistryError
        If the registry does not hold the model, or its champion has no passing verdict.
    """
    features = features_file(settings.paths, settings.features_path)
    contenders = choose_models(settings)
    panel = _read_features(features, contenders)
    window = _window(panel, settings)
    for contender in contenders.values():
        contender.check(panel, window)
    facts = _facts(features, panel, contenders)
    output = Output(
        stage=STAGE.name,
        root=settings.paths.reports / "backtests",
        settings=settings,
        inputs={"features": features},
        label=str(panel.dates[-1]),
        version=4,
        extra=facts.identity(),
        packages=("arch", "numba", "numpy", "plotly", "pyportfolioopt"),
    )

    def make(folder: Path, _key: str) -> Made:
        policies = {name: contender.policy for name, contender in contenders.items()}
        comparison = compare(policies, panel, window, settings.terms)
        tries = _tries(comparison.scorecard, panel.tickers, contenders[MODEL], output.root)
        return Made(
            files=_write(folder, comparison, settings.terms, facts, tries),
            metrics=_metrics(comparison.scorecard),
            details={**_details(comparison.scorecard, panel.tickers, contenders), **tries.details()},
        )

    result = make_once(output, make, tracker)
    _LOG.info("the report lies at %s", result.artifacts["report"].path)
    return result


def _read_features(path: Path, contenders: Mapping[str, Contender]) -> MarketPanel:
    """The features that the models need; DigestError if they are not what their stage made."""
    check_unaltered(path.parent)
    names = dict.fromkeys(name for contender in contenders.values() for name in contender.policy.indicators)
    return read_panel(path, tuple(names))


def _window(panel: MarketPanel, settings: BacktestSettings) -> slice:
    """The test split, or what the settings cut out of the data."""
    first = settings.window.first_date or panel.dates[split_sessions(panel.dates, settings.split).test.start].item()
    return panel.rows_between(first, settings.window.last_date or panel.dates[-1].item())


def _tries(scorecard: Scorecard, tickers: tuple[str, ...], model: Contender, root: Path) -> Tries:
    """How many other models this workspace has tested on dates of the window."""
    first, last = str(scorecard.first_date), str(scorecard.last_date)
    window = JudgedWindow(("first_date", "last_date"), first, last, {"tickers": ",".join(tickers)})
    confidence = scorecard.terms.bootstrap.confidence_fraction
    return count_tries(root, STAGE.name, {model.weights, model.digest}, window, confidence)


def _write(
    folder: Path, comparison: Comparison, terms: BacktestTerms, facts: ReportFacts, tries: Tries
) -> Mapping[str, str]:
    """Write the files; gives their names."""
    files = {"returns": "returns.parquet", "positions": "positions.parquet"}
    comparison.returns_frame().to_parquet(folder / files["returns"], index=False)
    comparison.positions_frame(facts.tickers).to_parquet(folder / files["positions"], index=False)
    write_text(folder / "performance.json", comparison.scorecard.model_dump_json(indent=2) + "\n")
    write_text(folder / "report.html", render_report(comparison, terms, facts, tries))
    return {**files, "performance": "performance.json", "report": "report.html"}


def _facts(features: Path, panel: MarketPanel, contenders: Mapping[str, Contender]) -> ReportFacts:
    """What the report says of models and data."""
    warnings, sources = tell_origin(features)
    foreign = tuple(
        f"{contender.label} sees {told}: it may do worse than it would on news as it knows them."
        for contender in contenders.values()
        if (told := other_scorer(contender.card, features))
    )
    for warning in foreign:
        _LOG.warning("%s", warning)
    models = {name.capitalize(): f"sha256 {contender.digest}" for name, contender in contenders.items()}
    return ReportFacts(
        model=contenders[MODEL].label,
        champion=contenders[CHAMPION].label if CHAMPION in contenders else "",
        tickers=panel.tickers,
        warnings=(*warnings, *foreign),
        sources=sources | models,
    )


def _metrics(scorecard: Scorecard) -> dict[str, float]:
    """Every defined figure, as ``<strategy>.<figure>``, and the ends of every interval."""
    figures = {
        f"{strategy}.{name}": value
        for strategy, performance in scorecard.strategies.items()
        for name, value in performance.model_dump().items()
    }
    for strategy, found in scorecard.sharpe_differences.items():
        if found is not None:
            figures[f"sharpe_difference.{strategy}"] = found.difference
            figures[f"sharpe_difference_lower.{strategy}"] = found.lower
            figures[f"sharpe_difference_upper.{strategy}"] = found.upper
    return {name: value for name, value in figures.items() if value is not None}


def _details(scorecard: Scorecard, tickers: tuple[str, ...], contenders: Mapping[str, Contender]) -> dict[str, Scalar]:
    details: dict[str, Scalar] = {
        "first_date": str(scorecard.first_date),
        "last_date": str(scorecard.last_date),
        "sessions": scorecard.sessions,
        **scorecard.terms.account.model_dump(),
        "tickers": ",".join(tickers),
        WEIGHTS: contenders[MODEL].weights,
    }
    for name, contender in contenders.items():
        details |= {f"{name}_digest": contender.digest, f"{name}_version": contender.version}
    return details


STAGE = Stage(
    name="run_backtest",
    settings_type=BacktestSettings,
    run=run_backtest,
    flags=(
        ValueFlag("model_path", "model_path", "folder of the model to test (default: from the registry)"),
        ValueFlag("model_alias", "model_alias", "registry alias of the model to test (default: challenger)"),
        ValueFlag("model_version", "model_version", "registry version of the model to test"),
        ValueFlag("features_path", "features_path", f"features file (default: data/processed/{FEATURES})"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
