"""What a model decides over a file: cycle after cycle of bars up to each purchase, or observation by observation."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.environments.dca_timing import observations_of
from MLOps.errors import DataError
from MLOps.market.price_cycles import Cycles, TimeArray, TimingPrices

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
QValues = Callable[[Float32Array], Float32Array]
COLUMNS = ("time", "price", "action", "q_hold", "q_buy", "cycle", "step", "is_forced")
_ROWS_AT_ONCE = 4096


class CycleGrid(NamedTuple):
    """When cycles begin: at `anchor`, and each `steps` closes before and after it.

    Attributes
    ----------
    anchor : datetime64[us]
        Instant in UTC of the first decision of some cycle.
    steps : int
        Decisions of a cycle.
    spacing : timedelta64
        Time from one close to the next.
    """

    anchor: np.datetime64
    steps: int
    spacing: np.timedelta64

    def first_start(self, times: TimeArray, first: int) -> int:
        """First row from `first` on at which a cycle begins, if no bar is missing; it may lie beyond the last one."""
        behind, length = (times[first] - self.anchor), self.steps * self.spacing
        wait = -behind % length
        if wait % self.spacing:
            return len(times)
        return first + int(wait / self.spacing)


def decide_bars(
    prices: TimingPrices, q_values: QValues, window: int, grid: CycleGrid, first_time: np.datetime64 | None = None
) -> pd.DataFrame:
    """The decisions over bars, from the first cycle that has history enough on.

    Cycles follow one another; when one begins, the grid says and not the file, so that a file that begins elsewhere
    gets the same decisions. The last cycle may be unfinished: its newest decision is what to do now. A cycle that a
    gap breaks ends there. What comes after a purchase in its cycle decides nothing, and is left out.

    Parameters
    ----------
    prices : TimingPrices
        Closes of one coin.
    q_values : callable
        Value of holding and of buying (B, 2), for observations (B, window + 2).
    window : int
        Closes that the model sees.
    grid : CycleGrid
        When cycles begin.
    first_time : datetime64, optional
        Decisions of cycles that begin at or after it.

    Returns
    -------
    DataFrame
        `COLUMNS`: the close's instant in UTC, its price, 1 to buy and 0 to hold, both values, number of the cycle,
        decision within it from 0 on, and whether the cycle's end forced the purchase, whatever the values say.

    Raises
    ------
    DataError
        If no cycle begins with `window` closes known and no gap among them.
    """
    parts: list[pd.DataFrame] = []
    for first, end in _stretches(prices, window, grid, first_time):
        before = int(parts[-1]["cycle"].iloc[-1]) + 1 if parts else 0
        parts.append(_decide_stretch(prices, q_values, window, grid.steps, (first, end), before))
    if not parts:
        raise DataError(
            f"{len(prices.closes)} bars from {_to_minute(prices.times[0])} to {_to_minute(prices.times[-1])}, in which "
            f"no cycle begins with {window} closes known and no gap among them"
            + (f" from {first_time} on" if first_time is not None else ""),
            f"a cycle begins every {grid.steps} bars from {_to_minute(grid.anchor)} on",
            "more bars, cycles_from or first_day",
        )
    return pd.concat(parts, ignore_index=True)


def _to_minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")


def decide_observations(observations: Float32Array, q_values: QValues) -> pd.DataFrame:
    """The decision on each observation (N, D), as `COLUMNS`; what an observation does not tell is missing."""
    values = _values(observations, q_values)
    empty = np.full(len(values), np.nan)
    frame = {
        "time": np.full(len(values), np.datetime64("NaT", "us")),
        "price": empty,
        "action": values.argmax(axis=1),
        "q_hold": values[:, 0],
        "q_buy": values[:, 1],
    }
    missing = {name: pd.array([None] * len(values), dtype="Int64") for name in ("cycle", "step", "is_forced")}
    return pd.DataFrame(frame | missing)


def _stretches(
    prices: TimingPrices, window: int, grid: CycleGrid, first_time: np.datetime64 | None
) -> Iterator[tuple[int, int]]:
    """Row of the first decision, and the row after the last one, of each stretch of bars without a gap."""
    begins = np.flatnonzero(np.append(True, prices.follows_gap[1:]))
    allowed = 0 if first_time is None else int(np.searchsorted(prices.times, first_time))
    for begin, end in zip(begins, np.append(begins[1:], len(prices.closes)), strict=True):
        first = max(int(begin) + window - 1, allowed)
        if first < end and (start := grid.first_start(prices.times, first)) < end:
            yield start, int(end)


def _decide_stretch(
    prices: TimingPrices, q_values: QValues, window: int, steps: int, stretch: tuple[int, int], cycles_before: int
) -> pd.DataFrame:
    first, end = stretch
    count = -(-(end - first) // steps)
    seen = prices.closes[first - window + 1 : end]
    padded = np.append(seen, np.full(count * steps - (end - first), seen[-1]))  # nothing of it is seen before it is now
    starts = window - 1 + steps * np.arange(count)
    observations = observations_of(Cycles(padded, starts, steps, window, np.zeros(len(padded), "datetime64[us]")))
    values = _values(observations.reshape(count * steps, -1), q_values).reshape(count, steps, 2)
    buys = values.argmax(axis=2) == 1
    is_last = np.arange(steps) == steps - 1
    ends = (buys | is_last).argmax(axis=1)
    row = np.arange(count * steps).reshape(count, steps)
    cycle, step = np.nonzero((np.arange(steps) <= ends[:, None]) & (row < end - first))
    at = first + row[cycle, step]
    chosen, forced = buys[cycle, step], is_last[step] & ~buys[cycle, step]
    return pd.DataFrame(
        {
            "time": prices.times[at],
            "price": prices.closes[at],
            "action": (chosen | forced).astype(np.int64),
            "q_hold": values[cycle, step, 0],
            "q_buy": values[cycle, step, 1],
            "cycle": cycles_before + cycle,
            "step": step,
            "is_forced": forced.astype(np.int64),
        }
    )


def _values(observations: Float32Array, q_values: QValues) -> Float32Array:
    parts = [q_values(observations[at : at + _ROWS_AT_ONCE]) for at in range(0, len(observations), _ROWS_AT_ONCE)]
    return np.concatenate(parts)
