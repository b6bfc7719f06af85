"""What a command was named to read, looked at before any work: a model's folder, a file of prices or observations."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deployment.command_line.places import followed, shown
from MLOps.errors import DataError, SettingsError
from MLOps.inference.delivery_sums import NETWORK_FILE, SUMS_FILE
from MLOps.inference.model_files import CARD_FILE

_MODEL, _DATA = "--model_path", "--data_path"
_MEND = f"{_MODEL}, or make one: python deployment/commands.py train"
_MENTIONED = 4  # models beside the one that is not there


def model_folder(path: Path, takes_delivery: bool) -> Path:
    """The folder of a model, as the caller means it; it holds a card, or is a delivery where one is taken.

    Raises
    ------
    SettingsError
        If the path cannot be followed, or one may not look into the folder.
    DataError
        If there is no such model.
    """
    folder = followed(path, _MODEL)
    kinds = "a model folder" + (" or a delivery" if takes_delivery else "")
    if not folder.is_dir():
        told = "is no folder" if folder.exists() else "does not exist"
        raise DataError(f"{_MODEL} {shown(path)} {told}", kinds + _beside(path, folder, takes_delivery), _MEND)
    followed(path / CARD_FILE, _MODEL)
    if (folder / CARD_FILE).is_file() or (takes_delivery and _is_delivery(folder)):
        return folder
    if _is_delivery(folder):
        raise DataError(
            f"{_MODEL} {shown(path)} is a delivery, which was exported already",
            "the model folder that it was made of",
            f"{_MODEL} models/crypto_timing/<coin>/latest, or another folder there",
        )
    holds = f"{CARD_FILE} (a model folder)" + (f" or {NETWORK_FILE} and {SUMS_FILE} (a delivery)" * takes_delivery)
    raise DataError(f"{_MODEL} {shown(path)} is a folder without a model", f"one that holds {holds}", _MEND)


def data_file(path: Path, kinds: Sequence[str]) -> Path:
    """A file to read, as the caller means it.

    Parameters
    ----------
    kinds : sequence of str
        Suffixes that the command takes.

    Raises
    ------
    SettingsError
        If the path cannot be followed, or is of no such kind.
    DataError
        If there is no such file.
    """
    file = followed(path, _DATA)
    told = f"a file of the kinds {', '.join(kinds)}"
    if path.suffix not in kinds:
        raise SettingsError(f"{_DATA} {shown(path)}", told, _DATA)
    if not file.is_file():
        state = "is a folder" if file.is_dir() else "does not exist"
        cure = f"{_DATA}, or leave it out: then the newest bars are taken that ingest_crypto_bars made"
        raise DataError(f"{_DATA} {shown(path)} {state}", told, cure)
    return file


def _is_delivery(folder: Path) -> bool:
    return (folder / NETWORK_FILE).is_file() and (folder / SUMS_FILE).is_file()


def _is_model(place: Path, takes_delivery: bool) -> bool:
    try:
        return (place / CARD_FILE).is_file() or (takes_delivery and _is_delivery(place))
    except OSError:  # somebody else's folder
        return False


def _beside(path: Path, folder: Path, takes_delivery: bool) -> str:
    """The models that lie where the one that is not there was looked for, as far as one may look."""
    others: list[str] = []
    with suppress(OSError):
        places = sorted(folder.parent.iterdir()) if folder.parent.is_dir() else []
        others = [place.name for place in places if _is_model(place, takes_delivery)]
    named = ", ".join(str(path.parent / name) for name in others[:_MENTIONED])
    more = ", ..." if len(others) > _MENTIONED else ""
    return f"; there is {named}{more}" if others else ""
