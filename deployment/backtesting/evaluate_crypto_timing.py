"""Stage evaluate_crypto_timing: a buy-timing model on cycles that it has never seen, beside champion and baselines.

Makes reports/crypto_timing/<last day>-<key>/ with savings.json, purchases.parquet and report.html. The model comes
from the registry (its alias `challenger` by default) or from a folder; further folders, of other seeds, tell how much
of it is the seed's luck. That no edge is found is a normal result, and is said.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployment.backtesting.choose_timing_models import TimingContenders, choose_timing_models
from deployment.backtesting.judged_before import WEIGHTS, JudgedWindow, Tries, count_tries
from deployment.backtesting.learning_curve import LearningCurve, read_learning_curve
from deployment.backtesting.render_timing import TimingFacts, render_timing
from deployment.backtesting.tell_origin import tell_origin
from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, check_unaltered, make_once, write_text
from MLOps.evaluation.timing_agent import card_of, cycles_to_judge
from MLOps.evaluation.timing_comparison import FIRST, TimingComparison, TimingScorecard, compare_timing
from MLOps.evaluation.timing_savings import finding_of
from MLOps.market.price_cycles import read_timing_prices, split_cycles, timing_bars_path
from MLOps.settings.timing_evaluation import TimingEvaluationSettings
from MLOps.stage import Scalar, Stage, StageResult, Tracker, ValueFlag

_LOG = logging.getLogger(__name__)
_FILES = {"savings": "savings.json", "purchases": "purchases.parquet", "report": "report.html"}


def evaluate_crypto_timing(settings: TimingEvaluationSettings, tracker: Tracker) -> StageResult:
    """Let model, champion and baselines buy in the cycles of the test window, and report on it.

    Raises
    ------
    DataError
        If the bars are missing or malformed, were altered after they were made, are of another coin, or hold no
        cycle in one of the windows; or if a learning curve is named that is none.
    ModelError
        If a model cannot be loaded, is of another coin, frequency, cycle or window, or has seen prices of the
        test window.
    RegistryError
        If the registry does not hold the model, or its champion has no passing verdict.
    """
    bars = timing_bars_path(settings.bars_path, settings.data, settings.paths)
    check_unaltered(bars.parent)
    prices = read_timing_prices(bars, settings.data)
    contenders = choose_timing_models(settings)
    test = cycles_to_judge(prices, settings.data, [contender.policy for contender in contenders.all])
    for contender in contenders.all:
        contender.check(settings.data, test)
    curve = read_learning_curve(contenders.models[0].folder, _named(settings))
    facts = _facts(bars, contenders, settings)
    train = split_cycles(prices, settings.data)["train"]

    def make(folder: Path, _key: str) -> Made:
        agents = [model.steps for model in contenders.models]
        champion = contenders.champion.steps if contenders.champion else None
        comparison = compare_timing(agents, champion, train, test, settings.conditions)
        tries = _tries(comparison.scorecard, contenders, output.root)
        _write(folder, comparison, facts, curve, tries)
        return Made(
            files=_FILES,
            metrics=_metrics(comparison.scorecard),
            details={**_details(comparison.scorecard, contenders, facts), **tries.details()},
        )

    output = Output(
        stage=STAGE.name,
        root=settings.paths.reports / "crypto_timing",
        settings=settings,
        inputs={"bars": bars},
        label=str(test.times[test.starts[-1] + test.steps - 1].astype("datetime64[D]")),
        extra=facts.identity() | {"learning_curve": curve.model_dump_json() if curve else ""},
        version=5,
        packages=("arch", "numba", "numpy", "plotly", "scipy"),
    )
    result = make_once(output, make, tracker)
    _LOG.info("the report lies at %s", result.artifacts["report"].path)
    return result


def _named(settings: TimingEvaluationSettings) -> Path | None:
    path = settings.learning_curve_path
    return None if path is None else settings.paths.workspace / path


def _tries(scorecard: TimingScorecard, contenders: TimingContenders, root: Path) -> Tries:
    """How many other models of the coin this workspace has judged on dates of the window."""
    first, last = scorecard.first_decision.isoformat(), scorecard.last_decision.isoformat()
    market = {"symbol": scorecard.conditions.data.symbol}
    window = JudgedWindow(("first_decision", "last_decision"), first, last, market)
    confidence = scorecard.conditions.terms.bootstrap.confidence_fraction
    judged = {digest for model in contenders.models for digest in (model.weights, model.digest)}
    return count_tries(root, STAGE.name, judged, window, confidence)


def _write(
    folder: Path, comparison: TimingComparison, facts: TimingFacts, curve: LearningCurve | None, tries: Tries
) -> None:
    comparison.purchases_frame().to_parquet(folder / _FILES["purchases"], index=False)
    write_text(folder / _FILES["savings"], comparison.scorecard.model_dump_json(indent=2) + "\n")
    write_text(folder / _FILES["report"], render_timing(comparison, facts, curve, tries))


def _facts(bars: Path, contenders: TimingContenders, settings: TimingEvaluationSettings) -> TimingFacts:
    """What the report says of models and data."""
    warnings, sources = tell_origin(bars, "Bars")
    fee = settings.environment.fee_bps
    model, champion = contenders.models[0], contenders.champion
    trained = {f"Seed {place}": other.digest for place, other in enumerate(contenders.models[1:], 2)}
    digests = {"Model": model.digest, **trained} | ({"Champion": champion.digest} if champion else {})
    return TimingFacts(
        model=model.label,
        champion=champion.label if champion else "",
        tickers=(settings.data.symbol,),
        warnings=(*warnings, *_biases(fee), *_other_fees(contenders, fee)),
        sources=sources | {caption: f"sha256 {digest}" for caption, digest in digests.items()},
    )


def _biases(fee_bps: float) -> tuple[str, ...]:
    """What flatters every policy alike."""
    return (
        "Bought at the very close that is decided on, which nobody can; it flatters whoever reacts to the last price.",
        f"A fee of {fee_bps:g} basis points of the price is all that a purchase costs: no spread, no impact.",
    )


def _other_fees(contenders: TimingContenders, fee_bps: float) -> tuple[str, ...]:
    fees = {model.label: card.market.fee_bps for model in contenders.all if (card := card_of(model.policy))}
    return tuple(
        f"{label} was trained with a fee of {paid:g} basis points, not {fee_bps:g}."
        for label, paid in fees.items()
        if paid != fee_bps
    )


def _metrics(scorecard: TimingScorecard) -> dict[str, float]:
    """Every figure as ``<policy>.<figure>``, and the model's advantage over each with the ends of its interval."""
    told: dict[str, float | None] = {
        "cycles": scorecard.cycles,
        "periods": scorecard.periods,
        "advantage_bps_least_phase.buy_first": scorecard.phase_range[0],
        "advantage_bps_largest_phase.buy_first": scorecard.phase_range[1],
    }
    for policy, figures in scorecard.policies.items():
        told |= {
            f"{policy}.price_paid": figures.price_paid,
            f"{policy}.saving_bps": figures.saving.mean,
            f"{policy}.saving_bps_lower": figures.saving.lower,
            f"{policy}.saving_bps_upper": figures.saving.upper,
            f"{policy}.late_advantage_bps": figures.late_advantage.mean if figures.late_advantage else None,
            f"{policy}.captured_fraction": figures.captured_fraction,
            f"{policy}.mean_step": figures.mean_step,
            f"{policy}.last_step_fraction": figures.last_step_fraction,
        }
    for prefix, effects in (("", scorecard.advantages), ("seeds.", scorecard.seed_advantages)):
        for other, effect in effects.items():
            told |= {
                f"{prefix}advantage_bps.{other}": effect.mean,
                f"{prefix}advantage_bps_lower.{other}": effect.lower,
                f"{prefix}advantage_bps_upper.{other}": effect.upper,
            }
    return {name: value for name, value in told.items() if value is not None}


def _details(scorecard: TimingScorecard, contenders: TimingContenders, facts: TimingFacts) -> Mapping[str, Scalar]:
    model, champion, data = contenders.models[0], contenders.champion, scorecard.conditions.data
    return {
        "symbol": data.symbol,
        "frequency": data.frequency,
        "cycle_steps": data.cycle_steps,
        "window_size": data.window_size,
        "fee_bps": scorecard.conditions.environment.fee_bps,
        "first_decision": scorecard.first_decision.isoformat(),
        "last_decision": scorecard.last_decision.isoformat(),
        "trained_seeds": scorecard.trained_seeds,
        "finding": finding_of(scorecard.advantages[FIRST]),
        "finding_filled_late": finding_of(scorecard.late_advantages[FIRST]),
        "data_warnings": " | ".join(facts.warnings),
        "model_digest": model.digest,
        WEIGHTS: ",".join(contender.weights for contender in contenders.models),
        "model_version": model.version,
        "champion_digest": champion.digest if champion else None,
        "champion_version": champion.version if champion else None,
    }


STAGE = Stage(
    name="evaluate_crypto_timing",
    settings_type=TimingEvaluationSettings,
    run=evaluate_crypto_timing,
    flags=(
        ValueFlag("model_path", "model_path", "folder of the model to judge (default: from the registry)"),
        ValueFlag("model_alias", "model_alias", "registry alias of the model to judge (default: challenger)"),
        ValueFlag("model_version", "model_version", "registry version of the model to judge"),
        ValueFlag("bars_path", "bars_path", "crypto bars (default: data/crypto/<coin>/bars.parquet, the newest)"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
