"""Runs comparisons with peers and writes what they found: ``make bench``, ``make bench ROW=name``."""

import argparse
import importlib
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import chart
import machine
import records
from comparison import NotEqualError, Row

from MLOps.errors import SettingsError
from MLOps.settings.project import project_root

ROWS = ("env_step_vs_finrl", "env_step_vs_finrl_np", "indicators_vs_finrl", "turbulence_vs_finrl")
_LOG = logging.getLogger("bench")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows named, or all; 0 if each one could be compared."""
    parser = argparse.ArgumentParser(description="Compare with peers on the same data in one run.")
    parser.add_argument("rows", nargs="*", help=f"any of {', '.join(ROWS)}; all by default")
    parser.add_argument("--reports", type=Path, default=project_root() / "reports", help="folder of the results")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        names = chosen(given.rows)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if len(names) == 1:
        return 0 if run_row(names[0], given.reports) else 1
    return _run_each_apart(names, given.reports)


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The rows asked for, in the order of `ROWS`; all if none is.

    Raises
    ------
    SettingsError
        If there is no row of a name.
    """
    if unknown := [name for name in names if name not in ROWS]:
        raise SettingsError(f"no row is named {', '.join(unknown)}", ", ".join(ROWS), "make bench ROW=name")
    return tuple(name for name in ROWS if name in names) or ROWS


def run_row(name: str, reports: Path) -> bool:
    """Run one row here, merge what it found and draw the chart anew; False if the results differ."""
    row: Row = importlib.import_module(f"rows.{name}").ROW
    _LOG.info("%s: begins", name)
    on = machine.describe()
    try:
        found = row.measure()
    except NotEqualError as error:
        record = records.unequal(name, row, str(error), on)
    else:
        record = records.measured(name, row, found, on)
    chart.draw(records.merge(reports / "benchmarks.json", record), reports / "benchmarks.html")
    sys.stdout.write(in_one_line(record) + "\n")
    return bool(record["checked"])


def in_one_line(record: records.Record) -> str:
    """Both figures and the ratio, as a person reads them."""
    if not record["checked"]:
        return f"{record['name']}: NOT EQUAL, not timed: {record['check']}"
    verdict = "met" if record["is_target_met"] else "MISSED"
    return (
        f"{record['name']}: ours {record['ours']:,.4g} {record['unit']}, peer {record['peer']:,.4g} {record['unit']}, "
        f"{record['ratio']:,.1f} times better (target {record['target_ratio']:,g}: {verdict})"
    )


def _run_each_apart(names: Sequence[str], reports: Path) -> int:
    """Each row in a process of its own, so that no row inherits another one's memory; what is done is kept."""
    failed = []
    for number, name in enumerate(names, start=1):
        _LOG.info("row %d of %d", number, len(names))
        if subprocess.run([sys.executable, __file__, name, "--reports", reports], check=False).returncode:
            failed.append(name)
    for record in records.read(reports / "benchmarks.json"):
        sys.stdout.write(in_one_line(record) + "\n")
    _LOG.info("results in %s", reports)
    if failed:
        sys.stderr.write(f"could not be compared: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the rows that were finished are kept\n")
        sys.exit(130)
