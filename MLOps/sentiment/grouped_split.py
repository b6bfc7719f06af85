"""Divide labelled sentences into splits: whole groups at a time, the classes in proportion."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]


def split_by_group(
    groups: Sequence[str], labels: Sequence[int], fractions: Mapping[str, float], seed: int
) -> dict[str, str]:
    """The split of each group.

    Groups are placed one by one, the largest first, each where it brings the counts of the classes
    nearest to what the fractions ask for: it takes the split s with the smallest rise of
    ``sum_c (count[s, c] - target[s, c])**2 / target[s, c]``. Among groups of one size a hash of seed
    and name decides, so neither the order of the rows nor a generator's state matters.

    scikit-learn's StratifiedGroupKFold places groups in the same greedy way, but makes k splits of one
    size; fractions such as .75 / .10 / .15 would have to be put together from twenty folds, each with
    an imbalance of its own.

    Parameters
    ----------
    groups : sequence of str, length K
        Group of each sentence.
    labels : sequence of int, length K
        Class of each sentence.
    fractions : mapping of str to float
        Fraction of the sentences for each split, in sum 1.
    seed : int
        Another seed gives another division.
    """
    counts = pd.crosstab(pd.Series(groups, dtype=object), pd.Series(labels))
    names = counts.index.astype(str)
    drawn = [hashlib.sha256(f"{seed}:{name}".encode()).hexdigest() for name in names]
    order = np.lexsort((drawn, -counts.to_numpy().sum(axis=1)))
    places = _place(counts.to_numpy(dtype=np.float64)[order], np.array(list(fractions.values())))
    splits = list(fractions)
    return {names[position]: splits[place] for position, place in zip(order, places, strict=True)}


def _place(counts: FloatArray, fractions: FloatArray) -> list[int]:
    """Split of each group; `counts` is (groups, classes), in the order of placing."""
    target = np.outer(fractions, counts.sum(axis=0))
    filled = np.zeros_like(target)
    places = []
    for group in counts:
        rise = (group * (2 * (filled - target) + group) / target).sum(axis=1)
        place = int(rise.argmin())
        filled[place] += group
        places.append(place)
    return places
