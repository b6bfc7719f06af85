"""What a model decides over a file: cycle after cycle of bars up to each purchase, or observation by observation."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.environments.dca_timing import observations_of
from MLOps.errors import DataError
from MLOps.market.price_cycles import Cycles, TimingPrices

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
QValues = Callable[[Float32Array], Float32Array]
COLUMNS = ("time", "price", "action", "q_hold", "q_buy", "cycle", "step", "is_forced")
_ROWS_AT_ONCE = 4096


def decide_bars(
    prices: TimingPrices, q_values: QValues, window: int, steps: int, first_time: np.datetime64 | None = None
) -> pd.DataFrame:
    """The decisions over bars, from the first one with history enough on.

    Cycles follow one another, and begin anew after a gap. The last one may be unfinished: its newest decision is what
    to do now. What comes after a purchase in its cycle decides nothing, and is left out.

    Parameters
    ----------
    prices : TimingPrices
        Closes of one coin.
    q_values : callable
        Value of holding and of buying (B, 2), for observations (B, window + 2).
    window, steps : int
        Closes that the model sees, decisions of a cycle.
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
        If no stretch of bars without a gap holds a single decision.
    """
    parts: list[pd.DataFrame] = []
    for first, end in _stretches(prices, window, first_time):
        before = int(parts[-1]["cycle"].iloc[-1]) + 1 if parts else 0
        parts.append(_decide_stretch(prices, q_values, window, steps, (first, end), before))
    if not parts:
        raise DataError(
            f"{len(prices.closes)} bars, of which no {window} follow one another without a gap"
            + (f" up to a decision from {first_time} on" if first_time is not None else ""),
            f"at least {window} bars, the model's window",
            "more bars, or first_day",
        )
    return pd.concat(parts, ignore_index=True)


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


def _stretches(prices: TimingPrices, window: int, first_time: np.datetime64 | None) -> Iterator[tuple[int, int]]:
    """Row of the first decision, and the row after the last one, of each stretch of bars without a gap."""
    begins = np.flatnonzero(np.append(True, prices.follows_gap[1:]))
    allowed = 0 if first_time is None else int(np.searchsorted(prices.times, first_time))
    for begin, end in zip(begins, np.append(begins[1:], len(prices.closes)), strict=True):
        first = max(int(begin) + window - 1, allowed)
        if first < end:
            yield first, int(end)


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
