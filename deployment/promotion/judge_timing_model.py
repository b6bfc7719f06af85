"""The gates of a buy-timing model. What is undecided does not pass."""

from datetime import datetime
from pathlib import Path

import numpy as np

from deployment.promotion.gate_result import gate_result
from deployment.promotion.read_timing_evaluation import TimingEvaluation
from MLOps.errors import ModelError
from MLOps.evaluation.comparison import CHAMPION
from MLOps.evaluation.timing_agent import AnyTimingPolicy, cycles_to_judge, q_values_in, require_fit, require_unseen
from MLOps.evaluation.timing_comparison import FIRST, LAST
from MLOps.evaluation.timing_savings import mean_effect
from MLOps.inference.timing_policy import load_timing_policy
from MLOps.market.price_cycles import Cycles, TimingPrices, instant
from MLOps.settings.timing_evaluation import TimingConditions
from MLOps.settings.timing_promotion import TimingPromotionSettings
from model_registry.verdict import GateResult


def judge_timing(
    folder: Path,
    digest: str,
    champion: AnyTimingPolicy,
    prices: TimingPrices,
    evaluation: TimingEvaluation,
    settings: TimingPromotionSettings,
) -> tuple[GateResult, ...]:
    """Every gate's result in the family's order; all are listed, even where an earlier one did not pass.

    Parameters
    ----------
    folder : Path
        The model's, fetched from the registry.
    digest : str
        What the registry says that its digest is.
    prices : TimingPrices
        Of the bars that the evaluation ran on.

    Raises
    ------
    DataError
        If the prices hold no cycle to judge on.
    """
    gates, evidence = settings.gates, settings.evidence
    loads, policy = model_loads(folder, digest)
    window = (
        evaluation.scorecard.conditions.data.window_size
    )  # each model has its own; the gate of the schema looks at it
    data = evidence.data.model_copy(update={"window_size": window})
    cycles = cycles_to_judge(prices, data, [found for found in (policy, champion) if found])
    schema = observation_schema(policy, cycles, evidence.model_copy(update={"data": data}))
    return (
        loads,
        schema,
        finite_forward_pass(policy if schema.passed else None, cycles),
        evaluation_terms(evaluation.scorecard.conditions, evidence),
        whole_window(evaluation, cycles, gates.min_periods),
        cheaper("beats_buy_first", FIRST, "buying first", gates.min_edge_bps, evaluation, settings),
        cheaper("beats_buy_last", LAST, "buying last", gates.min_edge_bps, evaluation, settings),
        cheaper(
            "champion_difference_lower", CHAMPION, "the champion", -gates.champion_margin_bps, evaluation, settings
        ),
    )


def model_loads(folder: Path, digest: str) -> tuple[GateResult, AnyTimingPolicy | None]:
    """Gate: the folder is a model of a kind that this platform runs."""
    gate, threshold = "model_loads", "a model of a known kind"
    try:
        policy = load_timing_policy(folder, digest)
    except ModelError as error:
        return gate_result(gate, None, threshold, False, f"the model does not load: {error}"), None
    return gate_result(gate, policy.kind, threshold, True, "the model loads"), policy


def observation_schema(policy: AnyTimingPolicy | None, cycles: Cycles, conditions: TimingConditions) -> GateResult:
    """Gate: the model was trained on this coin, frequency and cycle, sees this window, and none of these prices."""
    data, gate = conditions.data, "observation_schema"
    threshold = f"{data.symbol} by {data.frequency}, {data.cycle_steps} steps, a window of {data.window_size}"
    if policy is None:
        return gate_result(gate, None, threshold, False, "no schema without a model")
    try:
        require_fit("the model", policy, data)
        require_unseen("the model", policy, cycles)
    except ModelError as error:
        return gate_result(gate, None, threshold, False, f"the observation schema does not match: {error}")
    return gate_result(gate, threshold, threshold, True, "the observation schema matches")


def finite_forward_pass(policy: AnyTimingPolicy | None, cycles: Cycles) -> GateResult:
    """Gate: the model gives finite values at every decision of every cycle."""
    gate, threshold = "finite_forward_pass", 1.0
    if policy is None:
        return gate_result(gate, None, threshold, False, "no forward pass without a model that fits the bars")
    share = float(np.isfinite(q_values_in(policy, cycles)).all(axis=-1).mean())
    return gate_result(gate, share, threshold, share == threshold, f"values are finite at {share:.1%} of the decisions")


def evaluation_terms(found: TimingConditions, demanded: TimingConditions) -> GateResult:
    """Gate: the evaluation had the coin, cycle, window of time and fee that count; a what-if does not."""
    figures, thresholds = _terms(found), _terms(demanded)
    others = [
        f"{name} {figures[name]}, not {thresholds[name]}" for name in figures if figures[name] != thresholds[name]
    ]
    told = f"the evaluation had {', '.join(others)}" if others else "the evaluation had the terms that count"
    return gate_result("evaluation_terms", _listed(figures), _listed(thresholds), not others, told)


def whole_window(evaluation: TimingEvaluation, cycles: Cycles, least: int) -> GateResult:
    """Gate: the evaluation bought in all cycles of the window, in no others; and their periods are enough."""
    card, times = evaluation.scorecard, cycles.times
    found = _window_told(card.first_decision, card.last_decision, card.cycles)
    ends = (cycles.starts[0], cycles.starts[-1] + cycles.steps - 1)
    first, last = (instant(times[row]) for row in ends)
    wanted = _window_told(first, last, len(cycles.starts))
    is_whole, is_enough = found == wanted, card.periods >= least
    told = f"the evaluation bought from {found} of {card.periods} periods"
    told += "" if is_whole else f", not {wanted}"
    told += "" if is_enough else f": fewer than {least} periods"
    return gate_result("test_window", found, f"{wanted}, at least {least} periods", is_whole and is_enough, told)


def _window_told(first: datetime, last: datetime, cycles: int) -> str:
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, {cycles} cycles"


def cheaper(
    gate: str,
    rival: str,
    name: str,
    bound_bps: float,
    evaluation: TimingEvaluation,
    settings: TimingPromotionSettings,
) -> GateResult:
    """Gate: the lower end of how much less the model paid than a rival lies above a bound; late too, or nobody gets it.

    Both are asked for filled at the close that was decided on, which nobody can have, and filled one close later. The
    figure is the lesser of the two ends.
    """
    terms = settings.evidence.terms
    at_once, late = (
        mean_effect(evaluation.advantages_over(rival, is_late)[None], terms.bootstrap, terms.power_fraction)
        for is_late in (False, True)
    )
    least = min(at_once.lower, late.lower)
    passed = least > bound_bps
    told = (
        f"advantage over {name} {at_once.mean:+.1f} basis points, {terms.bootstrap.confidence_fraction:.0%} interval "
        f"{at_once.lower:+.1f} to {at_once.upper:+.1f}; filled a step later {late.mean:+.1f}, {late.lower:+.1f} to "
        f"{late.upper:+.1f}: the lesser lower end is {'above' if passed else 'not above'} {bound_bps:+.1f}"
    )
    return gate_result(gate, least, bound_bps, passed, told)


def _terms(conditions: TimingConditions) -> dict[str, str]:
    data = conditions.data
    return {
        "symbol": data.symbol,
        "frequency": data.frequency,
        "cycle_steps": str(data.cycle_steps),
        "test_start": str(data.test_start),
        "test_end": str(data.test_end or "the last day"),
        "fee_bps": f"{conditions.environment.fee_bps:g}",
    }


def _listed(terms: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in terms.items())
