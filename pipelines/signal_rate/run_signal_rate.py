"""The signal-rate job: the share of rows of a CSV or Parquet file whose close lies above its rolling mean.

    python pipelines/signal_rate/run_signal_rate.py --input data.csv --config config.yaml \\
        --output metrics.json --log-file run.log

Writes the metrics, or the error, as JSON to the output and to standard output; on an error the exit status is
not 0. Needs no more than NumPy and PyYAML; Parquet needs pyarrow. The same figure for many tickers and windows,
over time and tracked in MLflow, is the stage measure_signal_rates.py beside this file.
"""

import signal

if __name__ == "__main__":  # who stops the job finds its error in the output: signals wait until that can be written
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    signal.signal(signal.SIGTERM, signal.default_int_handler)

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import combinations
from pathlib import Path
from typing import NoReturn

from MLOps.errors import DataError, PlatformError, SettingsError
from MLOps.market.close_files import read_closes
from MLOps.market.signal_rate import SignalCounter
from pipelines.signal_rate.read_config import Pairs, SignalRateConfig, checked, read_pairs, version_in
from pipelines.signal_rate.write_report import Report, as_json, check_place, open_log, print_whole, write_whole

_FLAGS = {
    "input": "CSV file in UTF-8 with a header, or Parquet file; only its column close is read",
    "config": "YAML file: seed, window and version",
    "output": "JSON file of the metrics or the error",
    "log-file": "text file that the log is added to",
}
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    job = _Job()
    try:
        job.run(arguments)
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the edge: every failure becomes a report
        return job.report_failure(error)
    finally:
        job.close_log()
    return 0


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let through the signals that stop a program; if they waited before, they wait again after, while it reports."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())  # changes nothing, and tells
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Job:
    """One run, and as much of its surroundings as is known when it fails."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._flags = argparse.Namespace(input=None, config=None, output=None, log_file=None)
        self._log: logging.Logger | None = None
        self._output: Path | None = None  # once writing there does no harm
        self._config: Pairs | None = None
        self._is_printed = False

    def run(self, arguments: Sequence[str] | None) -> None:
        log = self._open(arguments)
        with _stoppable():
            self._count(log)

    def _count(self, log: logging.Logger) -> None:
        log.info("Job started")
        check_place("--output", self._flags.output)
        self._config = read_pairs(self._flags.config)
        config = checked(self._config, self._flags.config)
        log.info("Config loaded: seed=%d, window=%d, version=%s", config.seed, config.window, config.version)
        counter = _count_signals(self._flags.input, config.window, log)
        report = _report(counter, config, latency_ms=round((time.perf_counter() - self._started) * 1000))
        log.info("Metrics: signal_rate=%.4f, rows_processed=%d", report["value"], report["rows_processed"])
        write_whole(self._flags.output, as_json(report))
        print_whole(as_json(report))
        self._is_printed = True
        log.info("Job completed successfully in %dms", report["latency_ms"])

    def _open(self, arguments: Sequence[str] | None) -> logging.Logger:
        """Read the flags and open the log; what is wrong with the flags is raised when the log can tell it."""
        faults: list[SettingsError] = []
        try:
            _parser().parse_args(arguments, self._flags)
        except SettingsError as error:
            faults.append(error)
        places = {name: path for name in _FLAGS if (path := getattr(self._flags, name.replace("-", "_")))}
        collisions = _collisions(places)
        for one, other in collisions:
            faults.append(SettingsError(f"--{one} and --{other} name the same file {places[other]}", "different files"))
        shared = {name for pair in collisions for name in pair}
        if "output" not in shared:
            self._output = self._flags.output
        if self._flags.log_file and "log-file" not in shared:
            self._log = open_log(self._flags.log_file)
        if faults:
            raise faults[0]
        assert self._log  # the flag is required
        return self._log

    def report_failure(self, error: BaseException) -> int:
        """Tell `error` in the log, the output, on standard output and standard error, wherever that can be done.

        Whatever goes wrong in one place, the others are told.
        """
        message, status = _told(error)
        text = as_json({"version": self._version(), "status": "error", "error_message": message})
        with suppress(Exception):
            if self._log:
                self._log.error(message, exc_info=error)
        if self._output:
            _replace_metrics(self._output, text)
        with suppress(Exception):
            if not self._is_printed:  # two JSON texts would be none
                print_whole(text)
        with suppress(Exception):
            if sys.stderr:  # else print would take standard output
                print(f"run_signal_rate: {message}", file=sys.stderr)  # noqa: T201 - a command line
        return status

    def close_log(self) -> None:
        for handler in self._log.handlers if self._log else ():
            with suppress(OSError):  # a full disk, which was told already
                handler.close()

    def _version(self) -> str | None:
        """The version of the configuration, if it can be read."""
        path = self._flags.config
        with suppress(Exception):
            if self._config is None and path and path.is_file():  # no pipe, which may keep one waiting
                self._config = read_pairs(path)
        return version_in(self._config or [])


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like any other."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(message, mend="the command line; --help lists the flags")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    for name, meaning in _FLAGS.items():
        parser.add_argument(f"--{name}", required=True, type=Path, metavar="FILE", help=meaning)
    return parser


def _collisions(places: dict[str, Path]) -> list[tuple[str, str]]:
    """Two flags of one file, where it would be written over what is read, or twice."""
    real = {name: os.path.realpath(path) for name, path in places.items()}  # unlike Path's, suffers links in a loop
    pairs = [(one, other) for one, other in combinations(places, 2) if real[one] == real[other]]
    return [pair for pair in pairs if pair != ("input", "config")]


def _count_signals(path: Path, window: int, log: logging.Logger) -> SignalCounter:
    """Read and count in one pass, so that memory does not grow with the file."""
    counter = SignalCounter(window)
    for closes in read_closes(path):
        counter.add(closes)
    log.info("Data loaded: %d rows", counter.rows)
    if window > counter.rows:
        raise DataError(f"window={window} is larger than the data, {counter.rows} rows", f"at most {counter.rows}")
    log.info("Rolling mean calculated with window=%d", window)
    log.info("Signals generated")
    return counter


def _report(counter: SignalCounter, config: SignalRateConfig, latency_ms: int) -> Report:
    return {
        "version": config.version,
        "rows_processed": counter.rows,
        "metric": "signal_rate",
        "value": round(counter.rate, 4),
        "latency_ms": latency_ms,
        "seed": config.seed,
        "status": "success",
    }


def _told(error: BaseException) -> tuple[str, int]:
    """The error in one line, and the exit status."""
    if isinstance(error, PlatformError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", _INTERRUPTED
    return f"{type(error).__name__}: {' '.join(str(error).split())}", PlatformError.exit_code


def _replace_metrics(output: Path, text: str) -> None:
    """Write the error; if that fails, metrics of an earlier run must not stand there as if they were this one's."""
    try:
        write_whole(output, text)
    except Exception:  # noqa: BLE001 - told by the error itself, if it came from here
        with suppress(OSError):
            if output.is_file():
                output.unlink()


if __name__ == "__main__":
    sys.exit(main())
