"""Put a delivery where people take it from, over an earlier one too, and leave alone what others put there.

Each file is replaced whole, by a rename. Before the first one ``SHA256SUMS`` promises the old and the new digests,
after the last one the new ones alone. So whoever reads the network or looks its digest up at any instant, or after
this was killed, finds a whole one that is promised.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from MLOps import failpoints
from MLOps.artifacts import sha256_of, written_whole
from MLOps.errors import SettingsError
from MLOps.inference.delivery_sums import NETWORK_FILE, SETTINGS_FILE, SUMS_FILE, read_sums, sums_text
from MLOps.inference.trained_model import read_trained_model, written_at
from MLOps.partial_places import partial_place


def check_place(place: Path, files: Sequence[str]) -> None:
    """Raise SettingsError unless `place` is free, an empty folder, or a delivery whose `files` can be replaced."""
    if not place.exists() and not place.is_symlink():
        return
    if not place.is_dir():
        told = "is no folder"
    elif _is_empty(place):
        return
    elif NETWORK_FILE not in read_sums(place):
        told = f"is a folder without a delivery's {SUMS_FILE}"
    elif folders := [file for file in files if (place / file).is_dir()]:
        told = f"holds a folder named {folders[0]}"
    else:
        return
    raise SettingsError(f"{place} {told}", "a free place, or a delivery of export_crypto_model", "--output_path")


def place_delivery(made: Path, place: Path, files: Sequence[str]) -> str:
    """Let `place` hold a copy of the `files` of `made`; what else lies there stays.

    Gives in words what it replaced, if that was the delivery of another model; else an empty text.

    Parameters
    ----------
    made : Path
        Folder of a whole delivery.
    place : Path
        Where its copy is to lie.
    files : sequence of str
        Names of the delivery's files, ``SHA256SUMS`` among them.

    Raises
    ------
    SettingsError
        If something that is no delivery lies at `place`.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place.parent):
        check_place(place, files)
        replaced = _other_model(made, place)
        if not place.exists() or _is_empty(place):
            _place_first(made, place, files)
        else:
            _replace(made, place, files)
    return replaced


def _other_model(made: Path, place: Path) -> str:
    """What lies at `place` in words, where its settings tell that it is the delivery of another model than `made`."""
    wanted, told = read_trained_model(made), place / SETTINGS_FILE
    found = read_trained_model(place) if told.is_file() else None
    if found is None or (wanted is not None and found.digest == wanted.digest):
        return ""
    return f"{found.symbol}, {found.training}, delivered {written_at(told)}, {found.digest[:12]}"


def _place_first(made: Path, place: Path, files: Sequence[str]) -> None:
    with partial_place(place, is_folder=True) as folder:
        for file in files:
            shutil.copyfile(made / file, folder / file)
        folder.chmod(0o755)
        failpoints.reach("before_rename")
        folder.rename(place)


def _replace(made: Path, place: Path, files: Sequence[str]) -> None:
    others = [file for file in files if file != SUMS_FILE and not _are_equal(made / file, place / file)]
    if others:
        former, wanted = read_sums(place), read_sums(made)
        both = {file: former.get(file, frozenset()) | wanted.get(file, frozenset()) for file in former | wanted}
        with written_whole(place / SUMS_FILE) as temporary:
            temporary.write_text(sums_text(both), encoding="utf-8")
            failpoints.reach("before_rename")
    for file in [*others, SUMS_FILE]:
        if not _are_equal(made / file, place / file):
            with written_whole(place / file) as temporary:
                shutil.copyfile(made / file, temporary)
                failpoints.reach("before_rename")


def _are_equal(made: Path, placed: Path) -> bool:
    return placed.is_file() and sha256_of(made) == sha256_of(placed)


def _is_empty(folder: Path) -> bool:
    return next(folder.iterdir(), None) is None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that two exports do not mix their files."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
