"""Periods and phases of cycles that overlap: what is judged must not hang on the hour at which the first one begins.

Cycles laid end to end show one phase of many: with cycles of a day, those that all begin at the same hour. Which
hour follows from the window's length, and by another hour the same agent may seem far better or worse. So all allowed
cycles are judged, and averaged within periods: those that begin within the same stretch of `steps` rows.
"""

import numpy as np

from MLOps.evaluation.timing_policies import IntArray
from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import Cycles


def period_of(cycles: Cycles) -> IntArray:
    """(C,) number of each cycle's period, from 0: (start - first start) // steps, without those where none begins."""
    stretches = (cycles.starts - cycles.starts[0]) // cycles.steps
    return np.unique(stretches, return_inverse=True)[1].astype(np.int64)


def period_means(values: FloatArray, periods: IntArray) -> FloatArray:
    """(..., P) means of values (..., C) over the cycles of each period (`period_of`).

    A period has up to `steps` cycles, fewer before a gap and at the end; it counts as one whatever their number.
    """
    counts = np.bincount(periods)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])  # periods ascend, as starts do
    return np.asarray(np.add.reduceat(values, first, axis=-1) / counts)


def phase_means(values: FloatArray, cycles: Cycles) -> FloatArray:
    """(K,) means of values (C,) over the cycles of each phase, (start - first start) % steps; K = steps at most.

    Each is what would have been found on cycles that are laid end to end from one of the first `steps` starts on.
    """
    phases = (cycles.starts - cycles.starts[0]) % cycles.steps
    counts = np.bincount(phases)
    return np.asarray(np.bincount(phases, values)[counts > 0] / counts[counts > 0])
