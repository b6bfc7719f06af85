"""The signal-rate job over 10,000 rows as a whole process, interpreter start included, beside a plain pandas script.

Both run in the project's environment, with the same flags, and write the same metrics and log. The script reads every
column, as one writes it; it checks nothing and decides ties by the accident of floats.
"""

import logging
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from comparison import Demand, Measurement, NotEqualError, Row, in_turns
from peer_process import installed_peer
from quiet_market import exact_signals, write_csv
from signal_rate_jobs import PANDAS_SCRIPT, WINDOW, Job, our_job, require_exact

_LOG = logging.getLogger(__name__)
_ROWS, _RUNS, _RUNS_QUICK = 10_000, 15, 2
_LATENCY = "latency_ms"


def measure(*, is_quick: bool) -> Measurement:
    """Check the value, then time the processes in turns."""
    with TemporaryDirectory() as folder:
        table = Path(folder, "market.csv")
        write_csv(table, _ROWS)
        ours = our_job(table)
        pandas = Job(Path(sys.executable), PANDAS_SCRIPT, table, "pandas")
        newest = Job(installed_peer("dataframes"), PANDAS_SCRIPT, table, "newest_pandas")
        return _measure(ours, pandas, newest, _RUNS_QUICK if is_quick else _RUNS)


def _measure(ours: Job, pandas: Job, newest: Job, runs: int) -> Measurement:
    _LOG.info("checking")
    signals = int(exact_signals(_ROWS, WINDOW).sum())
    ours.run()
    pandas.run()
    checked = require_exact(ours.metrics(), signals, _ROWS)
    require_same_metrics(ours, pandas)
    _LOG.info("timing")
    newest_ms: list[float] = []

    def peer() -> float:
        newest_ms.append(newest.milliseconds())
        return pandas.milliseconds()

    timing = in_turns(peer, ours.milliseconds, runs)
    our_cpu, their_cpu = (min(job.run().cpu_seconds for _ in range(runs)) for job in (ours, pandas))
    return Measurement(
        timing=timing,
        check=checked,
        size={"rows": _ROWS, "window": WINDOW},
        demands=(Demand("the newest pandas to ours", median(newest_ms) / timing.ours, 1.0, "times", is_floor=True),),
        findings=(
            f"the script's rate: {pandas.metrics()['value']}; exact: {signals / _ROWS:.4f}",
            f"the script with the newest pandas, in an environment of its own: {median(newest_ms):.0f} ms",
            f"processor time, least of {runs} runs: ours {1e3 * our_cpu:.0f} ms, the script {1e3 * their_cpu:.0f} ms",
        ),
        details={"newest_pandas_ms": newest_ms, "ours_cpu_seconds": our_cpu, "peer_cpu_seconds": their_cpu},
    )


def require_same_metrics(ours: Job, peer: Job) -> None:
    """Raise `NotEqualError` unless the two write the same metrics but for the value and the time."""
    mine, theirs = ({**job.metrics(), "value": None, _LATENCY: None} for job in (ours, peer))
    if mine != theirs:
        raise NotEqualError(f"ours wrote {mine}, the script {theirs}")


ROW = Row(unit="ms", is_higher_better=False, target_ratio=1.0, measure=measure)
