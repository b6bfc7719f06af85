"""How long a stage usually takes: the median of its earlier runs in this workspace that made something."""

import json
from pathlib import Path
from statistics import median

from MLOps.artifacts import write_text
from MLOps.stage import StageResult


def usual_seconds(folder: Path, result: StageResult, history_runs: int) -> float | None:
    """Median wall time of the earlier runs; None where there is none. The run of `result` counts from the next on.

    A run that found its output made tells nothing of the work, and is not counted.

    Parameters
    ----------
    folder : Path
        Its file ``durations/<stage>.json`` keeps the times, in seconds; a broken one is begun anew.
    result : StageResult
        Of the run that has just ended.
    history_runs : int
        Runs that are kept.
    """
    path = folder / "durations" / f"{result.stage}.json"
    earlier = _read(path)
    if result.status == "made":
        write_text(path, json.dumps([*earlier, result.seconds][-history_runs:]) + "\n")
    return median(earlier) if earlier else None


def _read(path: Path) -> list[float]:
    try:
        return [float(seconds) for seconds in json.loads(path.read_text(encoding="utf-8"))]
    except (FileNotFoundError, ValueError, TypeError):
        return []
