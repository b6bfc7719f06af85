"""The signal-rate job over 100 million rows: constant memory, and its speed beside the disk's and a CSV parser's own.

The peer is pyarrow's streaming parser, which turns the column ``close`` into floats and keeps nothing of them: what it
costs to look at each byte. Ours is the whole process. Both find the same file in memory or on disk, as the rest of the
machine's memory allows; the findings tell the disk's own speed and that of the job when nothing of the file is cached.
"""

import logging
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from comparison import Demand, Measurement, Row, in_turns
from quiet_market import exact_signal_count, write_csv
from signal_rate_jobs import WINDOW, our_job, require_exact
from timed_process import Spent, timed

_LOG = logging.getLogger(__name__)
_ROWS, _ROWS_QUICK, _RUNS = 100_000_000, 5_000_000, 3
_BYTES_A_ROW, _DISK_SHARE = 80, 0.8
_MOST_MIB, _MOST_GROWTH_MIB = 1024.0, 32.0
_TARGET = 1.0
_PARSER = Path(__file__).parents[1] / "parse_closes.py"


def measure(*, is_quick: bool) -> Measurement:
    """Check the value and the memory, then time."""
    with TemporaryDirectory() as folder:
        rows = rows_that_fit(Path(folder), _ROWS_QUICK if is_quick else _ROWS)
        _LOG.info("writing %s rows", f"{rows:,}")
        large, small = Path(folder, "large.csv"), Path(folder, "small.csv")
        write_csv(large, rows)
        write_csv(small, rows // 10)
        _LOG.info("checking")
        signals = exact_signal_count(rows, WINDOW)
        return _measure(large, small, rows, signals, 1 if is_quick else _RUNS)


def rows_that_fit(folder: Path, wanted: int) -> int:
    """`wanted`, or as many as fill most of what is free on the disk with a table and a tenth of it."""
    free = shutil.disk_usage(folder).free
    return min(wanted, int(_DISK_SHARE * free / (1.1 * _BYTES_A_ROW)))


def _measure(large: Path, small: Path, rows: int, signals: int, runs: int) -> Measurement:
    job, megabytes = our_job(large), large.stat().st_size / 1e6
    few, many = our_job(small, "few").run(), job.run()
    checked = require_exact(job.metrics(), signals, rows)
    _LOG.info("timing")
    parser = [sys.executable, str(_PARSER), str(large)]
    parsed: list[Spent] = []

    def peer() -> float:
        parsed.append(timed(parser))
        return rows / parsed[-1].seconds / 1e6

    timing = in_turns(peer, lambda: rows / job.run().seconds / 1e6, runs)
    forget(large)
    disk = megabytes / seconds_to_read(large)
    forget(large)
    uncached = megabytes / job.run().seconds
    ours = timing.ours * megabytes / rows * 1e6
    return Measurement(
        timing=timing,
        check=checked,
        size={"rows": rows, "window": WINDOW, "csv_bytes": large.stat().st_size},
        demands=(
            Demand("most memory at a time", many.peak_mib, _MOST_MIB, "MiB", is_floor=False),
            Demand("growth from a tenth of it", many.peak_mib - few.peak_mib, _MOST_GROWTH_MIB, "MiB", is_floor=False),
        ),
        findings=(
            f"{megabytes / 1e3:.2f} GB; ours {ours:,.0f} MB/s",
            f"processor time: ours {many.cpu_seconds:.3g} s, the parser {parsed[-1].cpu_seconds:.3g} s",
            f"nothing cached: the disk alone {disk:,.0f} MB/s, ours from it {uncached:,.0f} MB/s: "
            f"{uncached / disk:.0%} of the disk's",
        ),
        notes=(
            "Both are whole processes. The parser stands for what each byte costs: it keeps no column, decides "
            "nothing and takes closes as floats.",
            "Uncached: the system was asked to forget the file (POSIX_FADV_DONTNEED).",
        ),
        details={
            "peak_mib": many.peak_mib,
            "peak_mib_of_a_tenth": few.peak_mib,
            "disk_mb_per_second": disk,
            "uncached_mb_per_second": uncached,
        },
    )


def forget(path: Path) -> None:
    """Ask the system to keep nothing of a file in memory."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds_to_read(path: Path) -> float:
    """Time to read a file from its beginning to its end, eight MiB at a time."""
    buffer, started = bytearray(1 << 23), perf_counter()
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass
    return perf_counter() - started


ROW = Row(unit="million rows/s", is_higher_better=True, target_ratio=_TARGET, measure=measure)
