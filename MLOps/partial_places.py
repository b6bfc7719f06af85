"""Temporary places beside a target, each held by a lock, so that what a killed process left is known and cleared.

A process number would not do: after a restart in a container the same number comes back.
"""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".partial"


@contextmanager
def partial_place(target: Path, is_folder: bool = False) -> Iterator[Path]:
    """Give an empty file or folder beside `target`, named ``.<target's name>.<random>.partial``.

    It is gone when the context ends, unless it was renamed. Whatever a killed process left beside the
    same target is cleared first.

    Parameters
    ----------
    target : Path
        What the place will be renamed to; its parent exists.
    is_folder : bool
        Make a folder, and clear the partial folders of every target in the parent.
    """
    _clear_abandoned(target.parent, "*" if is_folder else f"{glob.escape(target.name)}.*")
    place, lock = _make_locked(target, is_folder)
    try:
        yield place
    finally:
        _remove(place)
        os.close(lock)


def _make_locked(target: Path, is_folder: bool) -> tuple[Path, int]:
    """A new place and the descriptor that holds its lock."""
    while True:
        place = _make(target, is_folder)
        with suppress(FileNotFoundError):  # another process took it for abandoned before it was locked
            lock = os.open(place, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if place.exists():
                return place, lock
            os.close(lock)


def _make(target: Path, is_folder: bool) -> Path:
    prefix = f".{target.name}."
    if is_folder:
        return Path(tempfile.mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=target.parent))
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=target.parent)
    os.close(handle)
    return Path(name)


def _clear_abandoned(parent: Path, pattern: str) -> None:
    """Remove partial places whose lock nobody holds."""
    for place in parent.glob(f".{pattern}{_SUFFIX}"):
        with suppress(FileNotFoundError, BlockingIOError, PermissionError):  # gone, in use, or another user's
            lock = os.open(place, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(place)
            finally:
                os.close(lock)


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)
