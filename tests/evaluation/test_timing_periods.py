"""Periods and phases of overlapping cycles, by hand; and what another phase or a gap changes."""

import numpy as np

from MLOps.evaluation.timing_periods import period_means, period_of, phase_means
from MLOps.market.price_cycles import Cycles


def cycles_at(starts: list[int], steps: int) -> Cycles:
    rows = max(starts) + steps + 1
    times = np.datetime64("2020-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h")
    return Cycles(np.linspace(1, 2, rows), np.array(starts), steps, 1, times)


def test_period_holds_the_cycles_that_begin_within_one_length() -> None:
    assert period_of(cycles_at([5, 6, 7, 8, 9, 10, 11], 3)).tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_period_in_which_no_cycle_begins_is_no_period() -> None:
    """A gap takes the starts from 8 to 13: two of the periods of three rows."""
    assert period_of(cycles_at([5, 6, 7, 14, 15], 3)).tolist() == [0, 0, 0, 1, 1]


def test_mean_of_a_period_is_that_of_its_own_cycles() -> None:
    periods = period_of(cycles_at([5, 6, 7, 8, 9, 14], 3))
    values = np.array([[1.0, 2.0, 6.0, 10.0, 20.0, 7.0], [0, 0, 3, 0, 0, 1]])
    assert period_means(values, periods).tolist() == [[3, 15, 7], [1, 0, 1]]
    assert period_means(values[0], periods).tolist() == [3, 15, 7]


def test_phase_is_what_cycles_laid_end_to_end_would_have_shown() -> None:
    """From rows 5, 6 and 7 on, three by three: (1 + 10 + 7) / 3, (2 + 20) / 2 and 6."""
    cycles = cycles_at([5, 6, 7, 8, 9, 11], 3)
    assert phase_means(np.array([1.0, 2.0, 6.0, 10.0, 20.0, 7.0]), cycles).tolist() == [6, 11, 6]


def test_phase_without_a_cycle_is_left_out() -> None:
    assert phase_means(np.array([1.0, 3.0]), cycles_at([5, 7], 4)).tolist() == [1, 3]


def test_what_pays_at_one_hour_alone_is_judged_alike_from_whichever_hour_on() -> None:
    """24 more at one hour of 24 is 1 on average; from an hour later on too, where end to end it would be 24 or 0."""
    starts = list(range(240))
    values = np.where(np.arange(240) % 24 == 6, 24.0, 0.0)
    for first in (0, 6, 7):
        cycles = cycles_at(starts[first : first + 216], 24)
        assert period_means(values[first : first + 216], period_of(cycles)).tolist() == [1] * 9
        phases = phase_means(values[first : first + 216], cycles)
        assert (phases.min(), phases.max(), phases.mean()) == (0, 24, 1)
