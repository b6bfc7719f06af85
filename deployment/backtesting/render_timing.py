"""The report on a buy-timing model: one HTML file that needs no network."""

import re
from dataclasses import dataclass

from deployment.backtesting.draw_timing import draw_timing
from deployment.backtesting.judged_before import Tries
from deployment.backtesting.learning_curve import LearningCurve
from deployment.backtesting.render_page import PageFacts, render_page
from MLOps.charts.timing_charts import TIMING_LOOKS
from MLOps.evaluation.timing_comparison import TimingComparison
from MLOps.evaluation.timing_savings import in_words

_TEMPLATE = "timing.html.j2"


@dataclass(frozen=True, kw_only=True)
class TimingFacts(PageFacts):
    """What the report says beside its figures.

    Attributes
    ----------
    model, champion : str
        Which model stands behind the name; `champion` is empty where none bought.
    """

    model: str
    champion: str


def render_timing(comparison: TimingComparison, facts: TimingFacts, curve: LearningCurve | None, tries: Tries) -> str:
    """The report as HTML. The same arguments give the same text: it holds no time and no path."""
    scorecard = comparison.scorecard
    labels = {name: _in_a_sentence(look.label) for name, look in TIMING_LOOKS.items()}
    findings = [_typeset(in_words(effect, labels[name])) for name, effect in scorecard.advantages.items()]
    return render_page(
        _TEMPLATE,
        draw_timing(comparison, curve),
        facts,
        scorecard=scorecard,
        conditions=scorecard.conditions,
        looks=TIMING_LOOKS,
        findings=findings,
        tries=tries,
    )


def _in_a_sentence(label: str) -> str:
    return {"Buys first": "buying first", "Buys last": "buying last"}.get(label, f"the {label[:1].lower()}{label[1:]}")


def _typeset(sentence: str) -> str:
    return re.sub(r"-(?=\d)", "\N{MINUS SIGN}", sentence)
