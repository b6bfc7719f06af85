"""A stage of the table as a process: started alone in this one's place, or waited for and its result read."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from pydantic import ValidationError

from MLOps.errors import PlatformError
from MLOps.settings.project import from_project, project_root
from MLOps.settings.settings_keys import holds_key
from MLOps.settings.stage_table import STAGE_ENVIRONMENT, read_stage
from MLOps.stage import StageResult


class StageEndedError(Exception):
    """A stage ended without a result, and has told why.

    Parameters
    ----------
    exit_status : int
        Of its process; as a shell tells it where a signal ended it.
    """

    def __init__(self, exit_status: int) -> None:
        super().__init__(f"exit status {exit_status}")
        self.exit_status = exit_status


def become_stage(stage: str, arguments: Sequence[str]) -> NoReturn:
    """Let the stage take this process's place, so that signals, terminal and exit status are its own."""
    line = _line(stage, arguments)
    os.chdir(project_root())
    os.execve(line[0], line, _environment())


def run_stage_process(stage: str, arguments: Sequence[str]) -> StageResult:
    """Run a stage to its end; what it says goes to standard error as it comes.

    SIGTERM and SIGINT go on to the stage, which ends as it sees fit, and with it this wait.

    Raises
    ------
    StageEndedError
        If it fails.
    """
    tie = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []  # it shall not outlive us
    process = subprocess.Popen(
        [*tie, *_line(stage, arguments)],
        cwd=project_root(),
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        process_group=0,  # a terminal's Ctrl-C reaches it once: through us
    )
    with _passing_signals_on(process):
        said, _ = process.communicate()
    if process.returncode:
        raise StageEndedError(process.returncode if process.returncode > 0 else 128 - process.returncode)
    try:
        return StageResult.model_validate_json(said.splitlines()[-1])
    except (IndexError, ValidationError) as error:
        raise PlatformError(f"{stage}: its last line of output is no result", mend="report it") from error


def keys_held(stage: str, overrides: Sequence[str]) -> list[str]:
    """Those of the ``key=value`` whose key the stage's settings hold."""
    settings_type = read_stage(stage).settings_type
    return [given for given in overrides if holds_key(settings_type, given.partition("=")[0])]


def _line(stage: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, str(from_project(read_stage(stage).script)), *arguments]


def _environment() -> dict[str, str]:
    return STAGE_ENVIRONMENT | os.environ


@contextmanager
def _passing_signals_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.signal(number, lambda caught, _: process.send_signal(caught)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
