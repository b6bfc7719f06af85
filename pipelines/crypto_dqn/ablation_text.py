"""An ablation of Rainbow in words and as tables: what was found, what limits it, Markdown and CSV."""

import csv
import io
from collections.abc import Mapping

from MLOps.evaluation.rainbow_ablation import Finding, PairedDifference, RainbowAblation, Spread
from MLOps.settings.rainbow_ablation import FULL, Variant

LABELS: dict[Variant, str] = {
    "rainbow": "Rainbow, all six parts",
    "without_double": "without double Q-learning",
    "without_dueling": "without dueling streams",
    "without_prioritized": "without prioritised replay",
    "without_categorical": "without the distribution (C51)",
    "without_noisy": "without noisy weights",
    "without_n_step": "without n-step returns",
    "dqn": "plain DQN, none of them",
}
_COLUMNS = (
    "Variant",
    "Last look, bps",
    "Difference to the full agent",
    "Found",
    "Best look, bps",
    "Reward, last 10",
    "Frames to the best, thousands",
    "CPU seconds",
)
_VERDICTS: dict[Finding, str] = {"better_without": "better", "worse_without": "worse", "no_difference_found": "nothing"}
_FOUND: dict[Finding, str] = {
    "better_without": "better than the full agent",
    "worse_without": "worse than the full agent",
    "no_difference_found": "no difference to the full agent was found",
}


def tell_findings(ablation: RainbowAblation) -> list[str]:
    """One sentence for each variant, on its last look."""
    told = []
    for row in ablation.variants:
        if (found := row.last_difference) is not None:
            label, verdict = LABELS[row.variant], _FOUND[found.finding]
            told.append(f"{label[:1].upper()}{label[1:]}: {verdict}; {_interval(found)}{_detectable(found)}.")
    return told


def _interval(found: PairedDifference) -> str:
    return f"{found.mean:+.1f} basis points, interval {found.lower:+.1f} to {found.upper:+.1f}"


def _detectable(found: PairedDifference) -> str:
    if found.finding != "no_difference_found":
        return ""
    return f", which holds 0; a true difference had to be about {found.detectable:.1f} to be found"


def tell_limits(ablation: RainbowAblation) -> list[str]:
    """What a reader must know before believing a row."""
    window, seeds, compared = ablation.validation, len(ablation.seeds), len(ablation.variants) - 1
    confidence = f"{100 * ablation.confidence_fraction:g}%"
    return [
        f"{seeds} seeds are few. The intervals take the differences of seeds for normal (Student), which {seeds} "
        f"values cannot show; all {compared} intervals hold at once with {confidence} (Bonferroni).",
        "That no difference was found is not the finding that there is none.",
        f"The {window.cycles:,} validation cycles of {window.symbol}, {window.first_decision:%Y-%m-%d} to "
        f"{window.last_decision:%Y-%m-%d}, overlap, and tell no more than far fewer that do not.",
        "The best look was chosen on these very cycles: it is too good for every variant, and most for one whose looks "
        "vary most. So nothing is found from it, but from the last look, which nothing chose; a training keeps the "
        "weights of its best look all the same.",
        f"On those cycles who always bought last had {window.buy_last_bps:+.1f} basis points over buying first, and "
        f"hindsight {window.hindsight_bps:+.1f}: an agent that only learned to wait, or not to, has learned what this "
        "window's prices did on the whole.",
        "The intervals speak of other seeds on this very window. The table says nothing of another window, and "
        "nothing of the future.",
        f"Trainings of {ablation.num_frames:,} decisions are short, and all variants share the full agent's "
        "settings: a part that pays later, or that other settings would replace, shows as less or more than it is.",
        "Prioritised replay divides its weights by the largest in the replay, which shrinks gradients: switching it "
        "off also changes the effective step, not the choice of transitions alone. Adam undoes most of that where its "
        "epsilon is small beside the gradients; epsilon and the bound of the gradient's norm leave a rest.",
    ]


def markdown_of(ablation: RainbowAblation, cpu_seconds: Mapping[Variant, float]) -> str:
    """The table, what was found and what limits it.

    Parameters
    ----------
    ablation : RainbowAblation
    cpu_seconds : mapping of str to float
        Processor seconds of a training, by variant.
    """
    header, *rows = table_of(ablation, cpu_seconds)
    rule = ("---", *["---:"] * (len(header) - 1))
    table = "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
    found = "\n".join(f"- {sentence}" for sentence in tell_findings(ablation))
    limits = "\n".join(f"- {sentence}" for sentence in tell_limits(ablation))
    return (
        f"# What Rainbow's parts are worth\n\n{tell_caption(ablation)}\n\n{table}\n\n"
        f"## Found\n\n{found}\n\n## What limits it\n\n{limits}\n"
    )


def tell_caption(ablation: RainbowAblation) -> str:
    """What the table's numbers are."""
    seeds = ", ".join(str(seed) for seed in ablation.seeds)
    return (
        "Advantage over buying first on the validation cycles, in basis points of the first price; mean ± standard "
        f"deviation over the seeds {seeds}. In brackets the interval of the mean difference to the full agent at the "
        "last look, same seed by same seed; what was found follows from it. CPU seconds: the median."
    )


def table_of(ablation: RainbowAblation, cpu_seconds: Mapping[Variant, float]) -> list[tuple[str, ...]]:
    """The header, then a row for each variant."""
    rows = [
        (
            LABELS[row.variant],
            _spread(row.last_bps, "+.1f"),
            _difference(row.last_difference),
            "" if row.last_difference is None else _VERDICTS[row.last_difference.finding],
            _spread(row.best_bps, "+.1f"),
            _spread(row.mean_score_10, "+.3f"),
            _spread(row.best_frames, ".1f", scale=1_000),
            f"{cpu_seconds[row.variant]:.0f}",
        )
        for row in ablation.variants
    ]
    return [_COLUMNS, *rows]


def _spread(spread: Spread, digits: str, scale: float = 1.0) -> str:
    return f"{spread.mean / scale:{digits}} ± {spread.deviation / scale:{digits.removeprefix('+')}}"


def _difference(found: PairedDifference | None) -> str:
    return "" if found is None else f"{found.mean:+.1f} [{found.lower:+.1f}, {found.upper:+.1f}]"


def csv_of(ablation: RainbowAblation) -> str:
    """One row for each training, with the difference to the full agent of the same seed at the last look."""
    full = {run.seed: run for run in ablation.runs_of(FULL)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        (
            "variant",
            "seed",
            "last_advantage_bps",
            "last_less_full_bps",
            "best_advantage_bps",
            "mean_score_10",
            "best_frames",
        )
    )
    for run in ablation.runs:
        difference = run.last_bps - full[run.seed].last_bps
        figures = run.last_bps, difference, run.best_bps, run.mean_score_10, run.best_frames
        writer.writerow((run.variant, run.seed, *(f"{figure:.10g}" for figure in figures)))
    return text.getvalue()
