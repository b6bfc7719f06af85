"""When to buy within a cycle: simple policies, an agent's, and the best in hindsight.

A policy takes `Cycles` and gives the step at which it buys in each of them, (C,) int64 from 0 to steps - 1. It
decides step by step: whether it buys at a step follows from closes up to that step, and from no later one. Only
`best_step`, the bound of them all, looks ahead. Thresholds that are fitted: timing_thresholds.py.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import Cycles

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ChoosesSteps = Callable[[Cycles], IntArray]
"""A policy."""


def cycle_prices(cycles: Cycles) -> FloatArray:
    """(C, steps) float64: the close at each decision of each cycle."""
    return np.asarray(cycles.closes[_rows(cycles)])


def first_step(cycles: Cycles) -> IntArray:
    """(C,) 0: buys at once, as whoever invests on a fixed day does."""
    return np.zeros(len(cycles.starts), dtype=np.int64)


def last_step(cycles: Cycles) -> IntArray:
    """(C,) steps - 1: waits until it is forced."""
    return np.full(len(cycles.starts), cycles.steps - 1, dtype=np.int64)


def random_step(cycles: Cycles, generator: np.random.Generator) -> IntArray:
    """(C,) a step drawn anew for each cycle, every one with the same chance."""
    return generator.integers(0, cycles.steps, len(cycles.starts))


def secretary_step(cycles: Cycles) -> IntArray:
    """(C,) the first step whose price lies below all of those of an observed beginning; else the last one.

    The beginning is the share 1/e of the steps, rounded to the nearest whole step: the rule that finds the best of
    many candidates in random order most often. Prices come in no random order, and nearly the best is good too: it
    is a rule of thumb here, not an optimum.

    Source: T. S. Ferguson, "Who Solved the Secretary Problem?", Statistical Science 4 (1989).
    """
    prices, observed = cycle_prices(cycles), round(cycles.steps / math.e)
    lowest = prices[:, :observed].min(axis=1, initial=np.inf)
    return first_true(prices[:, observed:] < lowest[:, None]) + observed


def best_step(cycles: Cycles) -> IntArray:
    """(C,) the cheapest step, the earliest of several: what only hindsight knows."""
    return np.asarray(cycle_prices(cycles).argmin(axis=1))


def greedy_step(actions: IntArray) -> IntArray:
    """(C,) the first step at which an agent buys, the last one where it never does.

    Parameters
    ----------
    actions : (C, steps) int64
        What it would do at each step, had it not bought before: 0 hold, 1 buy.
    """
    return first_true(actions == 1)


def first_true(marks: BoolArray) -> IntArray:
    """(C,) first true column of each row (C, K); K - 1 where there is none, for the purchase is forced there."""
    steps: IntArray = np.where(marks.any(axis=1), marks.argmax(axis=1), marks.shape[1] - 1)
    return steps


def _rows(cycles: Cycles) -> IntArray:
    """(C, steps) index of the close at each decision."""
    return np.asarray(cycles.starts[:, None] + np.arange(cycles.steps))
