"""Paths that a command was given: followed, and tried before there is work to lose."""

from pathlib import Path
from tempfile import TemporaryDirectory

from MLOps.errors import SettingsError, StorageError

_SHOWN = 100  # characters of a path in an error


def followed(path: Path, flag: str) -> Path:
    """A path as the caller means it, from the working directory; it need not be there.

    Raises
    ------
    SettingsError
        If it cannot be followed: no such user, links in a ring, a file where a folder belongs, a name too long.
    """
    try:
        found = path.expanduser().resolve()
        _exists(found)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:_SHOWN].rstrip(".")
        raise SettingsError(f"{flag} {shown(path)}: {reason}", "a path that can be followed", flag) from error
    return found


def check_file_place(path: Path, mend: str) -> None:
    """Refuse a place where no file can be put.

    Raises
    ------
    SettingsError
        If it is a folder.
    StorageError
        If its folder can neither be used nor made.
    """
    if path.is_dir():
        raise SettingsError(f"{mend} {shown(path)} is a folder", "a file", mend)
    check_folder_place(path.parent, mend)


def check_folder_place(folder: Path, mend: str) -> None:
    """Refuse a folder that can neither be used nor made; nothing is left of the trial.

    Raises
    ------
    StorageError
        If that is so.
    """
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with TemporaryDirectory(prefix=".", dir=nearest):
            pass
    except OSError as error:
        given = f"{shown(folder)} cannot be written: {error.strerror} ({shown(nearest)})"
        raise StorageError(given, "a folder that can be written, or made", mend) from error


def _exists(path: Path) -> bool:
    """Whether it is there; unlike Path.exists, what stands in the way is an error."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def shown(path: Path) -> str:
    """A path for an error; of a long one the beginning."""
    text = str(path)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
