"""Observations out of a .npy file, as a network takes them."""

from pathlib import Path

import numpy as np

from MLOps.errors import DataError
from MLOps.inference.predictor import LARGEST
from MLOps.inference.timing_model import Float32Array

_NUMBERS = "fiu"
"""NumPy's kinds of floats and integers."""


def read_observation_file(path: Path, width: int | None, mend: str) -> Float32Array:
    """The observations of a file, (N, D) float32, C-contiguous, each number finite and at most `LARGEST` in size.

    Parameters
    ----------
    path : Path
        A .npy file.
    width : int or None
        Numbers of an observation; None where any number is taken.
    mend : str
        The flag or setting that names the file.

    Raises
    ------
    DataError
        If there is no such file, it is no .npy file, or it holds anything else.
    """
    if path.suffix != ".npy":
        raise DataError(f"{path} is no .npy file", "observations that numpy.save wrote", mend)
    try:
        with path.open("rb") as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise DataError(f"{path} cannot be read: {error}", "observations that numpy.save wrote", mend) from error
    allowed = f"numbers of shape (N, {width or 'any'}), finite and from -{LARGEST:g} to {LARGEST:g}"
    fits = array.ndim == 2 and array.size > 0 and array.dtype.kind in _NUMBERS
    if not fits or (width is not None and array.shape[1] != width):
        raise DataError(f"{path} holds {array.dtype} {array.shape}", allowed, mend)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
        numbers = np.ascontiguousarray(array, dtype=np.float32)
    is_allowed = np.abs(numbers) <= LARGEST  # False of NaN
    if not is_allowed.all():
        row, column = np.argwhere(~is_allowed)[0].tolist()
        raise DataError(f"{path} holds {array[row, column]} at [{row}, {column}]", allowed, mend)
    return numbers
