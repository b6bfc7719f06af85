"""What the two command lines share: one name runs here, several run in a process each."""

import argparse
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from MLOps.errors import SettingsError
from MLOps.settings.project import project_root

_LOG = logging.getLogger("bench")
RunsOne = Callable[[str, Path, bool], bool]


def run(script: str, description: str, names: tuple[str, ...], run_one: RunsOne, argv: Sequence[str] | None) -> int:
    """Run what the arguments name, or all of it; 0 if nothing failed.

    Parameters
    ----------
    script : str
        The file that calls this, to be started again for each of several names.
    description : str
        For ``--help``.
    names : tuple of str
        What there is, in the order it runs in.
    run_one : callable
        Takes a name, the folder of results and whether to be quick; False if it failed.
    argv : sequence of str, optional
        Arguments in place of the process's own.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(names)}; all by default")
    parser.add_argument("--quick", action="store_true", help="see that all works; figures go to reports/quick/")
    parser.add_argument("--reports", type=Path, help="folder of the results (default: reports/)")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells of each function that it skips
    try:
        wanted = chosen(given.names, names)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    reports = given.reports or project_root() / "reports" / ("quick" if given.quick else "")
    try:
        if len(wanted) == 1:
            return 0 if run_one(wanted[0], reports, given.quick) else 1
        return _run_each_apart(script, wanted, reports, is_quick=given.quick)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was finished is kept\n")
        return 130


def chosen(wanted: Sequence[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """The names asked for, in the order of `names`; all if none is.

    Raises
    ------
    SettingsError
        If there is nothing of a name.
    """
    if unknown := [name for name in wanted if name not in names]:
        raise SettingsError(f"there is no {', '.join(unknown)}", ", ".join(names), "make bench ROW=name")
    return tuple(name for name in names if name in wanted) or names


def _run_each_apart(script: str, names: Sequence[str], reports: Path, *, is_quick: bool) -> int:
    """Each in a process of its own, so that none inherits another one's memory; what is done is kept."""
    failed = []
    for number, name in enumerate(names, start=1):
        _LOG.info("%d of %d", number, len(names))
        command = [sys.executable, script, name, "--reports", str(reports), *(["--quick"] if is_quick else [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    _LOG.info("results in %s", reports)
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0
