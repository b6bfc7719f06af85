"""A stage as a process: its own command line, its prose passed on as it comes, its last line read as the result.

The process leads a group of its own, so that ending it ends what it started. If this process is
killed, the kernel sends the stage SIGTERM; until the stage has ended, a retry may run beside it, which
is harmless, because each try makes its output in a partial folder of its own and renames it.
"""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from MLOps.errors import PlatformError, ServiceUnavailableError
from MLOps.settings.project import from_project, project_root
from MLOps.settings.stage_table import STAGE_ENVIRONMENT
from MLOps.stage import StageResult

_GRACE_SECONDS = 15.0
_POLL_SECONDS = 0.5
_SILENCE_SECONDS = 15.0
_TAIL_BYTES = 8192
_INTERRUPTED = 130


class StageFailedError(PlatformError):
    """A stage ended without a result.

    Parameters
    ----------
    stage : str
        Its name.
    exit_status : int
        Of its process; negative: the signal that ended it.
    message : str
        The last line of its standard error.
    """

    def __init__(self, stage: str, exit_status: int, message: str) -> None:
        super().__init__(message or f"{stage}: ended with exit status {exit_status} and said nothing")
        self.stage, self.exit_code = stage, exit_status if exit_status > 0 else 1
        self.exit_status = exit_status

    @property
    def may_pass(self) -> bool:
        """Whether the same command could succeed later: a signal, an outage, or something unexpected."""
        return self.exit_status < 0 or self.exit_status in {1, ServiceUnavailableError.exit_code, _INTERRUPTED}


class StageProcess:
    """One run of a stage's command line.

    Parameters
    ----------
    stage : str
        Name, for messages.
    script : Path
        Command line of the stage, relative to the project root.
    arguments : sequence of str
        Flags and ``key=value`` overrides.
    relay : callable
        Takes the bytes that the stage writes to standard error, as they come.
    draws_on_terminal : bool
        Whether the stage shall believe that it writes to a terminal, and draw progress bars.
    timeout_seconds : float, optional
        After this long the stage is ended.
    silence_seconds : float
        After this long without a word from the stage, a line says that it is still at work.
    """

    def __init__(
        self,
        stage: str,
        script: Path,
        arguments: Sequence[str],
        relay: Callable[[bytes], None],
        draws_on_terminal: bool = False,
        timeout_seconds: float | None = None,
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        self.stage, self.command = stage, [sys.executable, str(from_project(script)), *arguments]
        self._relay, self._draws_on_terminal = relay, draws_on_terminal
        self._timeout_seconds, self._silence_seconds = timeout_seconds, silence_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._tail = b""
        self._is_cancelled = False

    def run(self) -> StageResult:
        """Run the stage to its end.

        Raises
        ------
        StageFailedError
            If it fails, takes too long, is cancelled, or ends without a result.
        """
        with tempfile.TemporaryFile() as stdout:
            read_end, write_end = pty.openpty() if self._draws_on_terminal else os.pipe()
            try:
                try:
                    self._start(stdout, write_end)
                finally:
                    os.close(write_end)
                status = self._follow(read_end)
            finally:
                self._stop()
                os.close(read_end)
            if status != 0:
                raise StageFailedError(self.stage, status, self._last_line())
            return self._result(stdout)

    def cancel(self) -> None:
        """Let `run` end the stage and raise; may be called from a signal's handler."""
        self._is_cancelled = True

    def _stop(self) -> None:
        """End the stage, if it has not ended, and everything that it started."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        process.wait()

    def _start(self, stdout: IO[bytes], stderr: int) -> None:
        if self._draws_on_terminal:
            columns, lines = os.get_terminal_size(2)
            termios.tcsetwinsize(stderr, (lines, columns))
        setpriv = shutil.which("setpriv")
        tie = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        self._process = subprocess.Popen(
            [*tie, *self.command],
            cwd=project_root(),
            env=STAGE_ENVIRONMENT | os.environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            process_group=0,
        )

    def _follow(self, read_end: int) -> int:
        """Pass on what the stage writes until it has ended; returns its exit status."""
        assert self._process is not None
        started = heard = time.monotonic()
        deadline = started + (self._timeout_seconds or float("inf"))
        poller = select.poll()
        poller.register(read_end, select.POLLIN)
        is_open = True
        while not self._is_cancelled and (now := time.monotonic()) < deadline:
            # A child of the stage may hold the pipe open for longer than the stage lives: ask for both.
            ended = self._process.poll()
            if not poller.poll(0 if ended is not None else _POLL_SECONDS * 1000):
                if ended is not None:
                    return ended
                if now - heard > self._silence_seconds:
                    self._relay(f"{self.stage}: at work for {now - started:.0f} s\n".encode())
                    heard = now
            elif chunk := _read(read_end):
                self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
                self._relay(chunk)
                heard = now
            elif is_open:
                poller.unregister(read_end)
                is_open = False
        cause = "from outside" if self._is_cancelled else f"after its time limit of {self._timeout_seconds:g} seconds"
        raise StageFailedError(self.stage, -signal.SIGTERM, f"{self.stage}: ended {cause}")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _last_line(self) -> str:
        """What the stage said last, without the time of day that its log puts in front."""
        lines = [line.strip() for line in self._tail.decode(errors="replace").splitlines() if line.strip()]
        return re.sub(r"^\d\d:\d\d:\d\d ", "", lines[-1]) if lines else ""

    def _result(self, stdout: IO[bytes]) -> StageResult:
        stdout.seek(0)
        lines = stdout.read().splitlines()
        try:
            return StageResult.model_validate_json(lines[-1])
        except (IndexError, ValidationError) as error:
            raise StageFailedError(self.stage, 0, f"{self.stage}: its last line of output is no result") from error


def _read(descriptor: int) -> bytes:
    """What can be read now; empty at the end. A closed terminal says so with an error."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
