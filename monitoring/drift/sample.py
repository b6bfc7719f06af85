"""A reference and a current window of the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from MLOps.errors import DataError
from MLOps.settings.drift import DriftWindowSettings


@dataclass(frozen=True)
class Table:
    """Rows in the order of time.

    Attributes
    ----------
    frame : DataFrame
        Numbers only, float64, NaN where a value is missing; the index tells when, ascending.
    notes : tuple of str
        What a reader must know of it, such as values that are no numbers.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """Two windows to compare.

    Attributes
    ----------
    reference, current : DataFrame
        As in `Table`; columns may differ.
    notes : tuple of str
        Of both.
    """

    reference: pd.DataFrame
    current: pd.DataFrame
    notes: tuple[str, ...] = field(default=())


def newest_against_earlier(table: Table, windows: DriftWindowSettings, reference: Table | None = None) -> Sample:
    """The newest rows, and the rows right before them or the newest ones of another table.

    Raises
    ------
    DataError
        If either window is too short to be judged.
    """
    current = table.frame.iloc[-windows.current_rows :]
    earlier = table.frame.iloc[: -windows.current_rows] if reference is None else reference.frame
    notes = table.notes + (reference.notes if reference else ())
    return checked_sample(earlier.iloc[-windows.reference_rows :], current, windows, notes)


def checked_sample(
    reference: pd.DataFrame, current: pd.DataFrame, windows: DriftWindowSettings, notes: Sequence[str] = ()
) -> Sample:
    """A sample of two windows that are long enough; DataError if one is not, or if nothing can be compared."""
    least = windows.minimum_current_rows
    if len(current) < least:
        raise DataError(f"current window: {_rows(current)}", f"at least {least}", "more data, or minimum_current_rows")
    least = round(windows.minimum_reference_blocks * len(current))
    if len(reference) < least:
        raise DataError(
            f"reference window: {_rows(reference)} before a current window of {len(current)}",
            f"at least {least}",
            "more data, current_rows, or minimum_reference_blocks",
        )
    if reference.columns.intersection(current.columns).empty:
        raise DataError("reference and current window have no column in common", "the same columns")
    return Sample(reference, current, tuple(notes))


def _rows(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "no rows"
    count = "1 row" if len(frame) == 1 else f"{len(frame)} rows"
    return f"{count} from {_when(frame.index[0])} to {_when(frame.index[-1])}"


def _when(label: object) -> str:
    return f"{label:%Y-%m-%d}" if isinstance(label, pd.Timestamp) else str(label)
