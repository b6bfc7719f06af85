"""The signal-rate job as a process: ours and the plain pandas script, with the same four flags."""

import json
import sys
from pathlib import Path
from typing import Any

from comparison import NotEqualError
from timed_process import Spent, timed

from MLOps.settings.project import project_root

WINDOW = 5
OUR_SCRIPT = project_root() / "pipelines/signal_rate/run_signal_rate.py"
PANDAS_SCRIPT = Path(__file__).parent / "plain_pandas_job.py"


class Job:
    """A job on one table, as often as it is asked to run.

    Parameters
    ----------
    python : Path
        The interpreter.
    script : Path
        What it runs.
    table : Path
        The input; the other files of the job go beside it, under `name`.
    name : str
        Of this job among those on `table`.
    """

    def __init__(self, python: Path, script: Path, table: Path, name: str) -> None:
        folder = table.parent / name
        folder.mkdir()
        config = folder / "config.yaml"
        config.write_text(f"seed: 42\nwindow: {WINDOW}\nversion: v1\n")
        self._output = folder / "metrics.json"
        flags = {"--input": table, "--config": config, "--output": self._output, "--log-file": folder / "run.log"}
        self._command = [str(part) for part in (python, script, *(part for flag in flags.items() for part in flag))]

    def run(self) -> Spent:
        """Run it to its end, which must be a good one."""
        return timed(self._command)

    def milliseconds(self) -> float:
        """Time of a run, interpreter start included."""
        return 1e3 * self.run().seconds

    def metrics(self) -> dict[str, Any]:
        """What the last run wrote."""
        written: dict[str, Any] = json.loads(self._output.read_text())
        return written


def our_job(table: Path, name: str = "ours") -> Job:
    """Ours, by the interpreter that runs this."""
    return Job(Path(sys.executable), OUR_SCRIPT, table, name)


def require_exact(metrics: dict[str, Any], signals: int, rows: int) -> str:
    """Say that a job's metrics are those of `signals` among `rows`.

    Raises
    ------
    NotEqualError
        If they are not.
    """
    expected = {"rows_processed": rows, "metric": "signal_rate", "value": round(signals / rows, 4), "status": "success"}
    if (found := {name: metrics.get(name) for name in expected}) != expected:
        raise NotEqualError(f"the job wrote {found}, exact is {expected}")
    return f"rate {expected['value']} over {rows:,} rows, as whole cents have it"
