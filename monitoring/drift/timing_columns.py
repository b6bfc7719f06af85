"""What a buy-timing agent sees, as tables over time."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from MLOps.environments.dca_timing import observations_of
from MLOps.errors import DataError
from MLOps.market.price_cycles import SPLITS, Cycles, consecutive, read_timing_prices, split_cycles
from MLOps.settings.drift import DriftSettings, TimingDriftSettings
from monitoring.drift.sample import Sample


def timing_windows(bars: Path, settings: DriftSettings) -> Sample:
    """The observations of the training window's cycles, and those of the newest cycles after it; a row a decision.

    The cycles share no decision. Left out are the numbers that are the same in each cycle: the remaining time, and
    the distance of the present price to itself. The network sees prices without their level, and so does this.

    Raises
    ------
    DataError
        If there are no such bars, they break their contract, or either window is too short to be judged.
    """
    cycles = split_cycles(read_timing_prices(bars, settings.data), settings.data)
    trained, later = consecutive(cycles["train"]), consecutive(_after_training(cycles))
    newest = later._replace(starts=later.starts[-settings.timing.current_cycles :])
    _check_lengths(len(trained.starts), len(newest.starts), settings.timing)
    return Sample(_seen(trained), _seen(newest))


def _after_training(cycles: Mapping[str, Cycles]) -> Cycles:
    starts = [cycles[name].starts for name in SPLITS if name != "train"]
    return cycles["test"]._replace(starts=np.concatenate(starts))


def _check_lengths(trained: int, newest: int, windows: TimingDriftSettings) -> None:
    if newest < windows.minimum_current_cycles:
        raise DataError(
            f"current window: {newest} cycles after training",
            f"at least {windows.minimum_current_cycles}",
            "more bars, or timing.minimum_current_cycles",
        )
    if trained < (least := round(windows.minimum_reference_blocks * newest)):
        raise DataError(
            f"reference window: {trained} cycles of training for a current window of {newest}",
            f"at least {least}",
            "data.validation_start, timing.current_cycles, or timing.minimum_reference_blocks",
        )


def _seen(cycles: Cycles) -> pd.DataFrame:
    rows = (cycles.starts[:, None] + np.arange(cycles.steps)).ravel()
    seen = observations_of(cycles).reshape(len(rows), -1)
    age = range(cycles.window - 1, 0, -1)
    names = ["position_value", *(f"price_history.{steps}_ago" for steps in age)]
    chosen = np.delete(seen, [1, seen.shape[1] - 1], axis=1).astype(np.float64)
    return pd.DataFrame(chosen, index=pd.DatetimeIndex(cycles.times[rows]), columns=names)
