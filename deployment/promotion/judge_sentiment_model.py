"""The gates of a sentiment model. What is undecided does not pass.

Every contender scores the held-out sentences here; figures that a training reported are not looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployment.promotion.gate_result import at_least, at_most, gate_result
from deployment.promotion.held_out import HeldOut
from deployment.promotion.sentiment_contender import Contender
from MLOps.errors import ModelError
from MLOps.evaluation.group_bootstrap import macro_f1_difference
from MLOps.sentiment.calibration import reliability
from MLOps.sentiment.lexicons import LoughranMcDonaldScorer, MajorityScorer, VaderScorer
from MLOps.sentiment.scorer import LABELS, FloatArray, SentenceScorer
from MLOps.settings.backtest import BootstrapSettings
from MLOps.settings.sentiment_promotion import SentimentGateSettings, SentimentPromotionSettings
from model_registry.verdict import GateResult

IntArray = npt.NDArray[np.int64]
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Rival:
    """What a model is compared with.

    Attributes
    ----------
    gate : str
        Name of the gate that compares.
    figure : str
        Name of its macro-F1 among the metrics.
    name : str
        As people call it.
    scorer : SentenceScorer
    bound : float
        The lower end of the interval of (model - rival) macro-F1 must lie above it.
    """

    gate: str
    figure: str
    name: str
    scorer: SentenceScorer
    bound: float


def model_loads(open_model: Callable[[], Contender]) -> tuple[GateResult, Contender | None]:
    """Gate: the folder is a sentiment model whose card, adapter and base model fit each other."""
    gate, threshold = "model_loads", "a sentiment model, whole and of its base model"
    try:
        contender = open_model()
    except ModelError as error:
        return gate_result(gate, None, threshold, False, f"the model does not load: {error}"), None
    return gate_result(gate, contender.scorer.kind, threshold, True, "the model loads"), contender


def judge(
    loads: GateResult,
    model: Contender | None,
    champion: SentenceScorer,
    held_out: HeldOut,
    settings: SentimentPromotionSettings,
) -> tuple[tuple[GateResult, ...], dict[str, float]]:
    """Every gate's result in the family's order, also where an earlier one did not pass; and the rivals' macro-F1.

    Parameters
    ----------
    loads : GateResult
        Of `model_loads`, as is the model.
    champion : SentenceScorer
        The present champion.
    held_out : HeldOut
        Of articles that neither of the two was trained on.
    """
    gates = settings.gates
    finite, probabilities = finite_probabilities(model, held_out)
    predicted = None if probabilities is None else probabilities.argmax(axis=1)
    rivals = _rivals(champion, held_out, gates.champion_margin)
    classes = [held_out.classes_by(rival.scorer) for rival in rivals]
    results = (
        loads,
        enough_held_out(held_out, gates),
        finite,
        calibration(probabilities, held_out, gates),
        at_least("macro_f1", None if predicted is None else held_out.macro_f1(predicted), gates.min_macro_f1),
        *(
            difference(rival, predicted, theirs, held_out, settings.bootstrap)
            for rival, theirs in zip(rivals, classes, strict=True)
        ),
    )
    return results, {r.figure: held_out.macro_f1(theirs) for r, theirs in zip(rivals, classes, strict=True)}


def _rivals(champion: SentenceScorer, held_out: HeldOut, margin: float) -> tuple[Rival, ...]:
    majority, financial = MajorityScorer(held_out.training_labels), LoughranMcDonaldScorer()
    return (
        Rival("beats_majority", "macro_f1_majority", "the majority", majority, 0.0),
        Rival("beats_vader", "macro_f1_vader", "VADER", VaderScorer(), 0.0),
        Rival("beats_loughran_mcdonald", "macro_f1_loughran_mcdonald", "Loughran-McDonald", financial, 0.0),
        Rival("champion_difference_lower", "macro_f1_champion", "the champion", champion, -margin),
    )


def enough_held_out(held_out: HeldOut, gates: SentimentGateSettings) -> GateResult:
    """Gate: enough articles and sentences of the test split are left that nobody was trained on."""
    articles, sentences = len(set(held_out.articles)), len(held_out.texts)
    passed = articles >= gates.min_articles and sentences >= gates.min_sentences
    return gate_result(
        "held_out_articles",
        f"{articles} articles, {sentences} sentences",
        f"at least {gates.min_articles} articles, {gates.min_sentences} sentences",
        passed,
        f"judged on {articles} articles with {sentences} sentences"
        + (f"; {held_out.left_out} more of the test split were trained on" if held_out.left_out else ""),
    )


def finite_probabilities(model: Contender | None, held_out: HeldOut) -> tuple[GateResult, FloatArray | None]:
    """Gate: every sentence gets probabilities that are finite, not negative, and sum to 1; gives them if so."""
    gate, threshold = "finite_probabilities", 1.0
    if model is None or not held_out.texts:
        missing = "model that loads" if model is None else "held-out sentence"
        return gate_result(gate, None, threshold, False, f"no probabilities without a {missing}"), None
    found = model.scorer.probabilities(held_out.texts)
    is_right = (found >= 0).all(axis=1) & (np.abs(found.sum(axis=1) - 1) <= _SUM_TOLERANCE)  # NaN is neither
    share = float(is_right.mean())
    told = f"probabilities are finite and sum to 1 for {share:.1%} of the sentences"
    return gate_result(gate, share, threshold, share == threshold, told), found if share == threshold else None


def calibration(probabilities: FloatArray | None, held_out: HeldOut, gates: SentimentGateSettings) -> GateResult:
    """Gate: the model is about as often right as it says."""
    error = None if probabilities is None else reliability(probabilities, held_out.labels).error
    return at_most("calibration_error", error, gates.max_calibration_error)


def difference(
    rival: Rival,
    predicted: IntArray | None,
    rival_classes: IntArray,
    held_out: HeldOut,
    settings: BootstrapSettings,
) -> GateResult:
    """Gate: the lower end of the interval by article of (model - rival) macro-F1 lies above the rival's bound."""
    found = None
    if predicted is not None:
        found = macro_f1_difference(held_out.labels, predicted, rival_classes, held_out.articles, len(LABELS), settings)
    if found is None:
        told = f"the macro-F1 difference to {rival.name} is undefined"
        return gate_result(rival.gate, None, rival.bound, False, told)
    passed = found.lower > rival.bound
    told = (
        f"macro-F1 difference to {rival.name} ({held_out.macro_f1(rival_classes):.3f}) {found.difference:+.3f}, "
        f"{found.confidence_fraction:.0%} interval by article {found.lower:+.3f} to {found.upper:+.3f}: "
        f"its lower end is {'above' if passed else 'not above'} {rival.bound:+.3f}"
    )
    return gate_result(rival.gate, found.lower, rival.bound, passed, told)
