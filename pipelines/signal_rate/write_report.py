"""What the signal-rate job tells: its metrics or its error as JSON, and its log."""

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from MLOps.errors import StorageError
from MLOps.partial_places import partial_place

Report = dict[str, str | int | float | None]


def as_json(report: Report) -> str:
    """The text that goes to the file and to standard output; ASCII, so that every terminal takes it."""
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def check_place(flag: str, path: Path) -> None:
    """Refuse a place where no file can be written, before the work is done.

    Raises
    ------
    StorageError
        If it may not be reached, its folder does not exist, or a folder is in its place.
    """
    with _telling(f"{flag} {path}"):
        if not path.parent.is_dir():
            raise StorageError(f"{flag} {path}: there is no folder {path.parent}", mend="make the folder first")
        if path.resolve().is_dir():
            raise StorageError(f"{flag} {path} is a folder", "a file, new or old")


def write_whole(output: Path, text: str) -> None:
    """Write `text` under a temporary name, flush it to the disk and rename it to `output`.

    A new file's mode is what the umask leaves; an earlier one's stays.

    Raises
    ------
    StorageError
        If it cannot be written, the disk being full among the reasons; an earlier file is then as it was.
    """
    check_place("--output", output)
    with _telling(f"--output {output}"):
        if output.exists() and not output.is_file():
            raise StorageError(f"--output {output} is not a file", "a file, new or old")  # a device would be replaced
        target = output.resolve()  # a link stays a link
        with partial_place(target) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(_mode(target))
            temporary.replace(target)


def _mode(target: Path) -> int:
    """Permissions of a file that is to stand at `target`."""
    with suppress(FileNotFoundError):
        return target.stat().st_mode & 0o777
    umask = os.umask(0o077)  # to be read, it must be set
    os.umask(umask)
    return 0o666 & ~umask


def print_whole(text: str) -> None:
    """Write `text` to standard output.

    Raises
    ------
    StorageError
        If it cannot be written; the interpreter's end does not try again.
    """
    try:
        print(text, end="", flush=True)  # noqa: T201 - a command line
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise _cannot_write("standard output", error, mend="what reads it") from error


def open_log(path: Path) -> logging.Logger:
    """A log of lines such as ``2024-01-06 16:00:00 - INFO - Job started``, added to those in the file.

    Raises
    ------
    StorageError
        If the file cannot be opened; later, if a line cannot be written.
    """
    check_place("--log-file", path)
    with _telling(f"--log-file {path}"):
        handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s - %(levelname)s - %(message)s", "%Y-%m-%d %H:%M:%S"))
    log = logging.Logger("signal_rate")  # the job's own: nothing else of the process writes to it
    log.addHandler(handler)
    return log


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> NoReturn:  # noqa: ARG002, N802 - the name is logging's
        error = sys.exception()
        assert error  # logging calls this where it has caught one
        if isinstance(error, OSError):
            raise _cannot_write(f"--log-file {self.baseFilename}", error) from error
        raise error  # a fault of the program, which would be hidden as one of the disk


@contextmanager
def _telling(place: str) -> Iterator[None]:
    """Tell what the system refuses as an error of `place`."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # the latter of links in a loop, from Path.resolve
        raise _cannot_write(place, error) from error


def _cannot_write(place: str, error: OSError | RuntimeError, mend: str = "the flag") -> StorageError:
    is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    reason = getattr(error, "strerror", None) or error
    return StorageError(f"{place} cannot be written: {reason}", mend="free room" if is_full else mend)
