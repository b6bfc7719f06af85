"""How far apart two samples of a column lie: PSI, Jensen-Shannon and Wasserstein, as Evidently 0.7 defines them.

Evidently computes one pair of samples at a time and draws it while it does. Thresholds are found from hundreds of
pairs cut out of one reference (see thresholds.py), so the same formulas are written here over many cuts at once; a
test holds them equal to Evidently's.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
METHODS = ("psi", "jensenshannon", "wasserstein")
_MOST_DISTINCT = 20  # up to so many distinct values in the reference, each is a bin of its own
_SMALLEST_SHARE = 1e-4  # stands for an empty bin's share in the PSI
_SMALLEST_SCALE = 1e-3  # the reference's standard deviation counts at least so much


@dataclass(frozen=True)
class Cuts:
    """Samples to compare: pairs of sets of positions in one array of values.

    Attributes
    ----------
    reference, current : (B, n) bool
        Which of the n values belong to each side of each pair.
    """

    reference: npt.NDArray[np.bool_]
    current: npt.NDArray[np.bool_]


def drift_scores(reference: FloatArray, current: FloatArray) -> FloatArray:
    """The scores of one pair of samples, in the order of `METHODS`.

    Parameters
    ----------
    reference : (n,) float64
        Finite, at least one value.
    current : (m,) float64
        Likewise.

    Returns
    -------
    (3,) float64
        Each >= 0; 0 means equal distributions (of bins for the first two).
    """
    is_current = np.repeat([False, True], [len(reference), len(current)])
    cuts = Cuts(~is_current[None], is_current[None])
    scores: FloatArray = scores_of_cuts(np.concatenate([reference, current]), cuts)[0]
    return scores


def scores_of_cuts(values: FloatArray, cuts: Cuts) -> FloatArray:
    """The scores (B, 3) of each pair that `cuts` takes out of `values` (n,), in the order of `METHODS`.

    All pairs share one set of bins; where each takes all of the values, as a block and the rest do, these are the
    bins that Evidently gives the pair.
    """
    bins = _bin_of_each(values, cuts.reference[0])
    reference, current = _shares(bins, cuts.reference), _shares(bins, cuts.current)
    return np.column_stack([_psi(reference, current), _jensenshannon(reference, current), _wasserstein(values, cuts)])


def _bin_of_each(values: FloatArray, is_reference: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """(n,) the bin of each value: equal widths by Sturges' rule, or one for each distinct value where they are few."""
    if len(np.unique(values[is_reference])) <= _MOST_DISTINCT:
        return np.unique(values, return_inverse=True)[1]
    edges = np.histogram_bin_edges(values, bins="sturges")
    return np.minimum(np.searchsorted(edges, values, side="right") - 1, len(edges) - 2)


def _shares(bins: npt.NDArray[np.intp], is_chosen: npt.NDArray[np.bool_]) -> FloatArray:
    """(B, K) share of each sample's values in each bin."""
    one_hot = bins[:, None] == np.arange(bins.max() + 1)
    counts = is_chosen.astype(np.float64) @ one_hot
    shares: FloatArray = counts / is_chosen.sum(axis=1, keepdims=True)
    return shares


def _psi(reference: FloatArray, current: FloatArray) -> FloatArray:
    """Population stability index: sum of (p - q) ln(p / q); an empty bin counts as a small share."""
    p, q = _filled(reference), _filled(current)
    psi: FloatArray = ((p - q) * np.log(p / q)).sum(axis=1)
    return psi


def _filled(shares: FloatArray) -> FloatArray:
    """The shares (B, K) with a small one in place of 0: a ten-thousandth, or less where a real share is that small."""
    least = np.where(shares > 0, shares, np.inf).min(axis=1, keepdims=True)
    stand_in = np.where(least <= _SMALLEST_SHARE, least / 10**6, _SMALLEST_SHARE)
    return np.where(shares == 0, stand_in, shares)


def _jensenshannon(reference: FloatArray, current: FloatArray) -> FloatArray:
    """Jensen-Shannon distance, natural logarithm: from 0 to sqrt(ln 2)."""
    middle = (reference + current) / 2
    divergence = (_relative_entropy(reference, middle) + _relative_entropy(current, middle)) / 2
    distance: FloatArray = np.sqrt(np.maximum(divergence, 0.0))
    return distance


def _relative_entropy(shares: FloatArray, of: FloatArray) -> FloatArray:
    ratio = np.divide(shares, of, out=np.ones_like(shares), where=shares > 0)
    entropy: FloatArray = (shares * np.log(ratio)).sum(axis=1)
    return entropy


def _wasserstein(values: FloatArray, cuts: Cuts) -> FloatArray:
    """First Wasserstein distance in standard deviations of the reference: the area between the two distributions."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    gap = np.abs(_cumulative(cuts.reference[:, order]) - _cumulative(cuts.current[:, order]))
    area = gap[:, :-1] @ np.diff(ascending)
    scale = np.array([values[chosen].std() for chosen in cuts.reference])
    distance: FloatArray = area / np.maximum(scale, _SMALLEST_SCALE)
    return distance


def _cumulative(is_chosen: npt.NDArray[np.bool_]) -> FloatArray:
    """(B, n) share of each sample that lies at or below each of the ascending values."""
    counts = np.cumsum(is_chosen, axis=1, dtype=np.float64)
    return counts / counts[:, -1:]
