"""Divide labelled sentences into splits: whole groups, each placed by its own name alone."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate


def split_by_group(groups: Iterable[str], fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    """The split of each group.

    A hash of seed and name, read as a number in [0, 1), decides. So a group stays where it is when others
    come or go, and a model that was trained on yesterday's train split can be judged on today's test split.
    What places all groups together, such as scikit-learn's StratifiedGroupKFold, brings the classes nearer to
    proportion but moves most groups when a few are added; here the caller checks the proportion, and a
    person chooses another seed where it is off.

    Parameters
    ----------
    groups : iterable of str
        Groups, in any order and number.
    fractions : mapping of str to float
        Fraction of the groups for each split, in sum 1.
    seed : int
        Another seed gives another division.
    """
    splits = list(fractions)
    edges = list(accumulate(fractions.values()))[:-1]
    return {group: splits[bisect_right(edges, _drawn(group, seed))] for group in set(groups)}


def _drawn(group: str, seed: int) -> float:
    """A number in [0, 1), spread evenly over names."""
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
