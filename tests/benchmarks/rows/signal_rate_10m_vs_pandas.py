"""From a CSV of ten million rows to its signal rate: our exact counter and pandas' ``read_csv`` with ``rolling``.

Every side is warm, in its own process, and finds the file in memory. Ours tells ragged rows and faulty numbers while
it is timed; nothing can switch that off.
"""

import logging
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import numpy.typing as npt
from comparison import Demand, Measurement, NotEqualError, Row, in_turns, seconds_per_call
from peer_process import installed_peer
from quiet_market import exact_signals, write_csv, write_parquet
from signal_rate_jobs import WINDOW, our_job, require_exact
from signal_rate_peers import DataFrames, data_frames

from MLOps.errors import DataError
from MLOps.market.close_files import read_closes
from MLOps.market.scaled_decimals import concatenated
from MLOps.market.signal_rate import SignalCounter, signals

_LOG = logging.getLogger(__name__)
_ROWS, _ROWS_QUICK, _RUNS, _RAGGED_ROWS = 10_000_000, 200_000, 5, 1_000
_TARGET = 10.0
_WAYS = ("pandas", "pandas_usecols", "pandas_parquet")

BoolArray = npt.NDArray[np.bool_]


def measure(*, is_quick: bool) -> Measurement:
    """Check the signal of every row, then time."""
    rows = _ROWS_QUICK if is_quick else _ROWS
    with TemporaryDirectory() as folder:
        table = Path(folder, "market.csv")
        _LOG.info("writing %s rows", f"{rows:,}")
        write_csv(table, rows)
        write_parquet(table.with_suffix(".parquet"), rows)
        exact = exact_signals(rows, WINDOW)
        _LOG.info("checking")
        checked = check(table, exact)
        with (
            data_frames(Path(sys.executable), table, WINDOW, _WAYS) as installed,
            data_frames(installed_peer("dataframes"), table, WINDOW, (*_WAYS, "polars")) as newest,
        ):
            return _measure(table, exact, checked, installed, newest, 1 if is_quick else _RUNS)


def check(table: Path, exact: BoolArray) -> str:
    """Every row's signal, the count by blocks, the whole job; and that a ragged row is refused.

    Raises
    ------
    NotEqualError
        If one of them is not as whole cents have it.
    """
    refuse_ragged_rows(table)
    for path in (table, table.with_suffix(".parquet")):
        if not np.array_equal(signals(concatenated(list(read_closes(path))), WINDOW), exact):
            raise NotEqualError(f"signals of {path.suffix} differ from those in whole cents")
        if (count := count_signals(path)) != exact.sum():
            raise NotEqualError(f"{count:,} signals counted in {path.suffix}, {exact.sum():,} in whole cents")
    job = our_job(table)
    job.run()
    return f"each row's signal, from CSV and Parquet; the job's {require_exact(job.metrics(), exact.sum(), exact.size)}"


def refuse_ragged_rows(table: Path) -> None:
    """Raise `NotEqualError` unless a field less and a field more in one row of many are refused."""
    with table.open("rb") as stream:
        head = [next(stream) for _ in range(_RAGGED_ROWS)]
    ragged = table.with_name("ragged.csv")
    for row in (head[-1].partition(b",")[2], head[-1].replace(b",", b",0,", 1)):
        ragged.write_bytes(b"".join([*head[:-1], row, *head[1:]]))
        try:
            count_signals(ragged)
        except DataError:
            continue
        raise NotEqualError(f"a ragged row was counted: {row.decode()}")


def count_signals(path: Path) -> int:
    """What is timed: reading, checks and counting."""
    counter = SignalCounter(WINDOW)
    for closes in read_closes(path):
        counter.add(closes)
    return counter.signals


def _measure(
    table: Path, exact: BoolArray, checked: str, installed: DataFrames, newest: DataFrames, runs: int
) -> Measurement:
    cpu_seconds: list[float] = []

    def peer() -> float:
        newest.run()
        installed.run()
        return installed.runs[-1]["pandas"]["seconds"]

    def ours() -> float:
        started, cpu_started = perf_counter(), process_time()
        count_signals(table)
        cpu_seconds.append(process_time() - cpu_started)
        return perf_counter() - started

    _LOG.info("timing")
    timing = in_turns(peer, ours, runs)
    parquet = seconds_per_call(partial(count_signals, table.with_suffix(".parquet")))
    job = our_job(table, "timed").run()
    times_better = newest.seconds("pandas") / timing.ours
    return Measurement(
        timing=timing,
        check=checked,
        size={"rows": exact.size, "window": WINDOW, "csv_bytes": table.stat().st_size},
        demands=(Demand(f"{newest.named('pandas')} to ours", times_better, _TARGET, "times", is_floor=True),),
        findings=(
            f"exact rate {exact.mean():.4f}",
            *(_decided(peers, way, exact) for peers, way in ((installed, "pandas"), (newest, "pandas"))),
            _decided(newest, "polars", exact),
            *(_projected(peers, "pandas_usecols", timing.ours) for peers in (installed, newest)),
            _projected(newest, "polars", timing.ours) + ", and ragged rows pass",
            f"processor time: ours {min(cpu_seconds):.3g} s, {_processor_time(installed)}, {_processor_time(newest)}",
            f"Parquet: ours {parquet:.3g} s, {newest.named('pandas')} {newest.seconds('pandas_parquet'):.3g} s",
            f"the job as a process: {job.seconds:.3g} s, at most {job.peak_mib:.0f} MiB",
        ),
        notes=(
            f"The peer is {installed.named('pandas')}, which this project installs, and reads all columns, for so one "
            "writes it; the newest one stands beside it, with pyarrow, which makes it twice as fast.",
            "Ours refuses ragged rows and faulty closes in every run.",
            "Prices move by at most two cents a row, so that one row in twenty is a tie; livelier ones have fewer.",
        ),
        details={
            "installed": installed.runs,
            "newest": newest.runs,
            "ours_cpu_seconds": cpu_seconds,
            "parquet_seconds": parquet,
            "process": job._asdict(),
            "versions": {"installed": installed.versions, "newest": newest.versions},
        },
    )


def _decided(peers: DataFrames, way: str, exact: BoolArray) -> str:
    signals_of_peer = peers.signals[way]
    wrong = int((signals_of_peer != exact).sum())
    return f"{peers.named(way)} decides {wrong:,} of {exact.size:,} rows wrongly: rate {signals_of_peer.mean():.4f}"


def _projected(peers: DataFrames, way: str, ours: float) -> str:
    seconds = peers.seconds(way)
    return f"{peers.named(way)}, column close only: {seconds:.3g} s, {seconds / ours:.2g} times ours"


def _processor_time(peers: DataFrames) -> str:
    return f"{peers.named('pandas')} {peers.cpu_seconds('pandas'):.3g} s"


ROW = Row(unit="s", is_higher_better=False, target_ratio=_TARGET, measure=measure)
