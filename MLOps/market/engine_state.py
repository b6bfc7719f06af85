"""What an engine that goes on session by session takes in, and how it is saved: plain arrays by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.errors import DataError

StateArray = npt.NDArray[Any]
_MEND = "the call: an engine is made for a fixed set of tickers"


def session_rows(prices: npt.ArrayLike, tickers: int) -> npt.NDArray[np.float64]:
    """`prices` as compiled code wants them: (T, N) float64, C-contiguous, writable; a copy only where needed.

    Raises
    ------
    DataError
        If the shape is not (T, `tickers`).
    """
    rows = np.require(prices, np.float64, ["C", "W"])
    if rows.ndim != 2 or rows.shape[1] != tickers:
        raise DataError(f"prices of shape {rows.shape}", f"sessions x {tickers} tickers", _MEND)
    return rows


def first_state(prices: int, sums: int, tickers: int) -> npt.NDArray[np.float64]:
    """A state before the first session: rows of prices, not known yet, and rows of weights and averages."""
    return np.concatenate((np.full((prices, tickers), np.nan), np.zeros((sums, tickers))))


def with_past(past: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`values` after the rows that were remembered; the newest rows are remembered in their place."""
    extended = np.concatenate((past, values))
    past[:] = extended[len(values) :]
    return extended


def copied(arrays: Mapping[str, StateArray]) -> dict[str, StateArray]:
    """Copies that stay as they are while the engine goes on."""
    return {name: array.copy() for name, array in arrays.items()}


def load_into(arrays: Mapping[str, StateArray], state: Mapping[str, StateArray]) -> None:
    """Overwrite an engine's `arrays` with a saved `state` of the same names, shapes and types.

    Raises
    ------
    DataError
        If one differs; nothing is overwritten then.
    """
    own, given = ({name: _form(array) for name, array in one.items()} for one in (arrays, state))
    if own != given:
        names = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
        raise DataError(
            f"a saved state with {', '.join(f'{name}: {given.get(name)}' for name in names)}",
            ", ".join(f"{name}: {own.get(name)}" for name in names),
            "the file that it was read from",
        )
    for name, array in arrays.items():
        array[...] = state[name]


def _form(array: StateArray) -> str:
    return f"{array.dtype}{list(array.shape)}"
