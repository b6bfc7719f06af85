"""A threshold policy for buying, fitted by dynamic programming: buy at step k once the price is low enough.

How low is told relative to prices that are known: to the cycle's first price, or to the mean of the window. Each
step has a threshold of its own, which depends on the time that remains.
"""

from typing import Literal, NamedTuple

import numpy as np

from MLOps.errors import DataError
from MLOps.evaluation.timing_policies import IntArray, cycle_prices, first_true
from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import Cycles

RelativeTo = Literal["first_price", "window_mean"]


class Thresholds(NamedTuple):
    """When to buy.

    Attributes
    ----------
    levels : (steps,) float64
        Buy at step k where the relative price is at most levels[k]: -inf never, inf always, as at the last step.
    relative_to : str
        What prices are divided by.
    """

    levels: FloatArray
    relative_to: RelativeTo

    def steps(self, cycles: Cycles) -> IntArray:
        """(C,) the step at which each cycle buys."""
        return first_true(relative_prices(cycles, self.relative_to) <= self.levels)


def fit_thresholds(cycles: Cycles, relative_to: RelativeTo) -> Thresholds:
    """The thresholds that would have bought most cheaply in given cycles, found step by step from the end.

    At each step the cycles are sorted by relative price; the threshold is the cut for which the mean cost of all of
    them is least: those below it pay the present price, the others what the thresholds of later steps made them pay.
    A cost is a price divided by the cycle's first one, so that cycles of all price levels count alike, and so that
    where prices are a fair game no rule gains: the mean over many cycles is 1, whenever it buys.

    Parameters
    ----------
    cycles : Cycles
        Of the training window alone; they may overlap.
    relative_to : str
        The state that decides, beside the step.

    Raises
    ------
    DataError
        If there is no cycle.

    Notes
    -----
    Source: L. Andersen, "A Simple Approach to the Pricing of Bermudan Swaptions in the Multifactor LIBOR Market
    Model", Journal of Computational Finance 3 (2000): exercise boundaries searched backwards on simulated paths.
    """
    if len(cycles.starts) == 0:
        raise DataError("no cycle to fit thresholds on", "a training window with a whole cycle", "data.train_start")
    prices, relative = cycle_prices(cycles), relative_prices(cycles, relative_to)
    costs = prices / prices[:, :1]
    levels = np.full(cycles.steps, np.inf)
    later = costs[:, -1]
    for k in range(cycles.steps - 2, -1, -1):
        levels[k] = _best_level(relative[:, k], costs[:, k] - later)
        later = np.where(relative[:, k] <= levels[k], costs[:, k], later)
    return Thresholds(levels, relative_to)


def relative_prices(cycles: Cycles, relative_to: RelativeTo) -> FloatArray:
    """(C, steps) float64: each decision's close divided by what is known of the cycle or of its window then."""
    prices = cycle_prices(cycles)
    if relative_to == "first_price":
        return prices / prices[:, :1]
    means = np.lib.stride_tricks.sliding_window_view(cycles.closes, cycles.window).mean(axis=1)
    ends = cycles.starts[:, None] + np.arange(cycles.steps)  # a mean's row is that of its oldest close
    return np.asarray(prices / means[ends - cycles.window + 1])


def _best_level(relative: FloatArray, differences: FloatArray) -> float:
    """The level for which the differences (C,) of the rows at or below it sum to least; -inf where none is negative.

    Halfway between two neighbours, for what lies between them was never seen.
    """
    order = np.argsort(relative, kind="stable")
    ordered = relative[order]
    sums = np.cumsum(differences[order])
    is_cut = np.append(ordered[1:] > ordered[:-1], True)  # equal prices are on the same side
    sums = np.where(is_cut, sums, np.inf)
    cut = int(sums.argmin())
    if sums[cut] >= 0:
        return -np.inf
    return float((ordered[cut] + ordered[cut + 1]) / 2) if cut + 1 < len(ordered) else np.inf
