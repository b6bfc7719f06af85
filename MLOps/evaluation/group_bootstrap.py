"""How sure a macro-F1 difference of two classifiers is: the paired bootstrap over groups of sentences."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from MLOps.evaluation.macro_f1 import FloatArray, IntArray, macro_f1
from MLOps.settings.backtest import BootstrapSettings

_DRAWS_AT_ONCE = 2_000_000  # weights of groups in memory, 16 MB of them


class MacroF1Difference(BaseModel):
    """Macro-F1 of a model less that of a rival, with a two-sided percentile interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    difference: float = Field(description="As measured on all groups.")
    lower: float = Field(description="Lower end of the interval.")
    upper: float = Field(description="Upper end of the interval.")
    confidence_fraction: float = Field(description="Coverage of the interval.")
    resamples: int = Field(description="Number of resampled sets of groups.")
    groups: int = Field(description="Groups that were drawn from.")


def macro_f1_difference(
    labels: IntArray,
    model: IntArray,
    rival: IntArray,
    groups: Sequence[str],
    classes: int,
    settings: BootstrapSettings,
) -> MacroF1Difference | None:
    """Bootstrap the macro-F1 difference of two classifiers on the same sentences.

    Sentences of one article resemble each other, so whole articles are drawn, with replacement, and both
    classifiers are counted on the same draw. A draw is a weight for each group: the confusion matrices
    are counted once for each group, and a resample is their weighted sum.

    Parameters
    ----------
    labels, model, rival : (K,) int64
        True classes and those that each classifier predicts, from 0 to `classes` - 1.
    groups : sequence of K str
        The group that each sentence belongs to.
    settings : BootstrapSettings
        Resamples, coverage, seed.

    Returns
    -------
    MacroF1Difference or None
        None where there are fewer than two groups: nothing can be told of others then.

    Notes
    -----
    Source: C. A. Field and A. H. Welsh, "Bootstrapping Clustered Data", JRSS B 69 (2007), the cluster
    bootstrap; paired as in P. Koehn, "Statistical Significance Tests for Machine Translation
    Evaluation", EMNLP (2004).
    """
    counts = _counts_by_group(labels, np.stack([model, rival]), groups, classes)
    if len(counts) < 2:
        return None
    drawn = _resampled_differences(counts, settings)
    outside = (1 - settings.confidence_fraction) / 2
    lower, upper = np.quantile(drawn, [outside, 1 - outside])
    return MacroF1Difference(
        difference=float(_difference(counts.sum(axis=0))),
        lower=float(lower),
        upper=float(upper),
        confidence_fraction=settings.confidence_fraction,
        resamples=settings.resamples,
        groups=len(counts),
    )


def _counts_by_group(labels: IntArray, predicted: IntArray, groups: Sequence[str], classes: int) -> IntArray:
    """(G, 2, C, C) confusion matrices of each group: axis 1 the two classifiers of `predicted` (2, K)."""
    names, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    shape = (len(names), len(predicted), classes, classes)
    which = np.arange(len(predicted))[:, None]
    cells = np.ravel_multi_index((*np.broadcast_arrays(group, which), *np.broadcast_arrays(labels, predicted)), shape)
    return np.bincount(cells.ravel(), minlength=int(np.prod(shape))).reshape(shape)


def _resampled_differences(counts: IntArray, settings: BootstrapSettings) -> FloatArray:
    """(R,) differences, each on as many groups as there are, drawn with replacement."""
    generator = np.random.default_rng(settings.seed)
    groups = len(counts)
    flat = counts.reshape(groups, -1).astype(np.float64)
    found = np.empty(settings.resamples)
    step = max(1, _DRAWS_AT_ONCE // groups)
    for start in range(0, settings.resamples, step):
        part = found[start : start + step]
        weights = generator.multinomial(groups, np.full(groups, 1 / groups), size=len(part))
        part[:] = _difference((weights @ flat).reshape(-1, *counts.shape[1:]))
    return found


def _difference(counts: IntArray | FloatArray) -> FloatArray:
    """(...) macro-F1 of the first classifier less that of the second, for counts (..., 2, C, C)."""
    scores = macro_f1(counts)
    return np.asarray(scores[..., 0] - scores[..., 1])
