"""What a figure of a run usually is: its median over earlier runs in this workspace."""

import json
import math
from pathlib import Path
from statistics import median

from MLOps.artifacts import write_text


def usual(path: Path, value: float, history_runs: int, *, keep: bool) -> float:
    """Median of the earlier runs' values; NaN where there is none. `value` counts from the next run on.

    There is no lock: of runs that end in the same moment one value is lost, which a median hardly feels.

    Parameters
    ----------
    path : Path
        JSON list that keeps the values, the oldest first; a broken one is begun anew.
    value : float
        Of the run that has just ended.
    history_runs : int
        Runs that are kept.
    keep : bool
        False for a run that found its output made: it tells nothing of the work.

    Raises
    ------
    OSError
        If the file can neither be read nor written.
    """
    earlier = _read(path)
    if keep:
        write_text(path, json.dumps([*earlier, value][-history_runs:]) + "\n")
    return median(earlier) if earlier else math.nan


def _read(path: Path) -> list[float]:
    try:
        return [float(value) for value in json.loads(path.read_text(encoding="utf-8"))]
    except (FileNotFoundError, ValueError, TypeError):
        return []
