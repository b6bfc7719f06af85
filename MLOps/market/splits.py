"""Train, validation and test windows: consecutive, never overlapping, the test window last."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from MLOps.errors import DataError
from MLOps.settings.splits import SplitSettings

_MEND = "config/splits/default.yaml"


@dataclass(frozen=True)
class SessionSplit:
    """Row positions of the three windows, as slices with a start and a stop."""

    train: slice
    validation: slice
    test: slice


def split_sessions(dates: npt.NDArray[np.datetime64], settings: SplitSettings) -> SessionSplit:
    """Count the windows back from the end of the data.

    Parameters
    ----------
    dates : (T,) datetime64[D]
        Sessions in ascending order.
    settings : SplitSettings
        Lengths in sessions.

    Raises
    ------
    DataError
        If fewer than ``minimum_train_sessions`` are left to train on.
    """
    test_start = len(dates) - settings.test_sessions
    validation_start = test_start - settings.validation_sessions
    train_start = 0
    if settings.train_start is not None:
        train_start = int(np.searchsorted(dates, np.datetime64(settings.train_start, "D")))
    train_sessions = max(validation_start - train_start, 0)
    if train_sessions < settings.minimum_train_sessions:
        raise DataError(
            f"{len(dates)} sessions leave {train_sessions} to train on, after {settings.validation_sessions} for "
            f"validation and {settings.test_sessions} for test (train_start: {settings.train_start or 'first date'})",
            f"at least {settings.minimum_train_sessions} (minimum_train_sessions)",
            f"{_MEND}, or more data",
        )
    return SessionSplit(
        train=slice(train_start, validation_start),
        validation=slice(validation_start, test_start),
        test=slice(test_start, len(dates)),
    )
