"""Starts a command from an interpreter that holds next to nothing and tells what it took, as one JSON line.

A process inherits the peak of its parent's memory, so that a large one cannot measure its child.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import NamedTuple


class Spent(NamedTuple):
    """What a process took.

    Attributes
    ----------
    seconds : float
        From its start to its end, interpreter included.
    cpu_seconds : float
        Processor time of all of its threads.
    peak_mib : float
        Most memory that it held at a time.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float


def timed(command: list[str]) -> Spent:
    """Run a command to its end.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; its words have gone to stderr.
    """
    launcher = [sys.executable, "-I", "-S", str(Path(__file__)), *command]
    answer = subprocess.run(launcher, stdout=subprocess.PIPE, text=True, check=True)
    return Spent(**json.loads(answer.stdout))


def main(command: list[str]) -> int:
    """Run it, its output thrown away; gives its exit status."""
    started = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    spent = Spent(perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    sys.stdout.write(json.dumps(spent._asdict()) + "\n")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
