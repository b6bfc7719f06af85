"""The inputs of a backtest of target weights, as arrays that two interpreters can read. Needs NumPy only."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
_INVESTED_FRACTION = 0.97


@dataclass(frozen=True)
class BacktestInputs:
    """Closes and the weights wanted at each of them, (T, N) float64; cash at the start; cost as a fraction."""

    close: FloatArray
    weights: FloatArray
    starting_cash: float
    cost_fraction: float

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file."""
        np.savez(path, **asdict(self))

    @classmethod
    def load(cls, path: Path) -> "BacktestInputs":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(file["close"], file["weights"], float(file["starting_cash"]), float(file["cost_fraction"]))


def draw_weights(sessions: int, tickers: int, seed: int = 5) -> FloatArray:
    """(T, N) new random weights a day, which sum to 0.97.

    The rest pays for the costs: were the cash short, an engine that fills one order after the other
    would fill the last one in part, and each engine has an order of its own.
    """
    return _INVESTED_FRACTION * np.random.default_rng(seed).dirichlet(np.ones(tickers), sessions)
