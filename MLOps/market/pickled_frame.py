"""A DataFrame out of a pickle that nobody vouches for.

The pickle is read as a description (inert_pickle.py), and the frame is built from it here: numbers, texts
and instants in columns with single names, under an index of one level. No code of pandas or NumPy that
unpickles is run, nor any that the file brings. Read as pandas from 1.3 up to 2.x writes them.

It does not tell whether the figures are true, nor protect from a file that is made to take time or memory,
beyond the limit of its size.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.errors import DataError
from MLOps.market.inert_pickle import InertPickleError, Record, load_inert, name_of

_FRAME, _MANAGER = "pandas.core.frame.DataFrame", "pandas.core.internals.managers.BlockManager"
_BLOCK, _BACKED = "pandas._libs.internals._unpickle_block", "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked"
_INDEX, _TIME_INDEX = "pandas.core.indexes.base._new_Index", "pandas.core.indexes.datetimes._new_DatetimeIndex"
_RANGE, _TIMES = "pandas.core.indexes.range.RangeIndex", "pandas.core.arrays.datetimes.DatetimeArray"
_ZONED = "pandas.core.dtypes.dtypes.DatetimeTZDtype"
_ARRAY, _BUFFER = "numpy._core.multiarray._reconstruct", "numpy._core.numeric._frombuffer"
_DTYPE, _SLICE, _ENCODE, _BYTES = "numpy.dtype", "builtins.slice", "_codecs.encode", "builtins.bytes"
_PLAIN_INDEXES = frozenset(
    {"pandas.core.indexes.base.Index"}
    | {f"pandas.core.indexes.numeric.{name}" for name in ("Int64Index", "UInt64Index", "Float64Index")}
)
_NOT_LOOKED_AT = frozenset(
    # what the index's frequency and the time zone are: the instants themselves are in UTC
    {f"pandas._libs.tslibs.offsets.{name}" for name in ("Day", "Hour", "Minute", "Second")}
    | {"datetime.timezone", "datetime.timedelta", "pytz._UTC", "pytz._p"}
    | {"builtins.object", "copyreg._reconstructor", "numpy.ndarray", "pandas.core.indexes.datetimes.DatetimeIndex"}
)
ALLOWED = (
    frozenset({_FRAME, _MANAGER, _BLOCK, _BACKED, _INDEX, _TIME_INDEX, _RANGE, _TIMES, _ZONED})
    | frozenset({_ARRAY, _BUFFER, _DTYPE, _SLICE, _ENCODE, _BYTES})
    | _PLAIN_INDEXES
    | _NOT_LOOKED_AT
)
"""Names that a pickled frame may speak of; each is a label here, and stands for no code."""
_NUMBERS = re.compile(r"b1|[iu][1248]|f[248]")
_MAX_COLUMNS = 1 << 16
_UNITS = ("s", "ms", "us", "ns")
_TEXTS = (str, int, float, bool, type(None))
Values = tuple[npt.NDArray[Any], bool]
"""An array, and whether its instants are known to be in UTC."""


def read_pickled_frame(path: Path, max_bytes: int) -> pd.DataFrame:
    """The DataFrame of a pickle.

    Parameters
    ----------
    path : Path
        The file, as ``DataFrame.to_pickle`` writes it uncompressed.
    max_bytes : int
        A larger file is not read.

    Returns
    -------
    DataFrame
        Columns by text; instants with a time zone are in UTC.

    Raises
    ------
    DataError
        If there is no such file, it is too large, or it holds anything but such a DataFrame.
    """
    content = _content(path, max_bytes)
    try:
        return _frame(load_inert(content, ALLOWED))
    except InertPickleError as error:
        raise _refused(path, str(error)) from error
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise _refused(path, f"is no such frame ({' '.join(str(error).split())[:160]})") from error


def _content(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "a pickled DataFrame", "pickle_path") from error
    if len(content) > max_bytes:
        raise DataError(f"{path} is larger than {max_bytes} bytes", "a smaller file", "max_file_mib")
    return content


def _refused(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} {reason}",
        "one pandas DataFrame of numbers, texts and times, and nothing else",
        "in your own Python: a coin a file, plain columns under one level of names, times in UTC, frame.to_pickle(...)",
    )


def _expect(is_so: bool, what: str) -> None:
    if not is_so:
        raise ValueError(what)


def _record(value: Any, *kinds: str) -> Record:
    found = value.kind if isinstance(value, Record) else type(value).__name__
    _expect(found in kinds, f"{found} where {kinds[0].rpartition('.')[2]} belongs")
    return value  # type: ignore[no-any-return]


def _frame(value: Any) -> pd.DataFrame:
    manager = _record(_record(value, _FRAME).state["_mgr"], _MANAGER)
    blocks, (columns, rows) = manager.arguments
    names, index = _index(columns).tolist(), _index(rows)
    _expect(all(type(name) is str for name in names), "columns whose names are no texts")
    _expect(len(set(names)) == len(names), "two columns of one name")
    found: dict[str, Any] = {}
    for block in blocks:
        for place, column in _columns(block):
            _expect(names[place] not in found, "a column that is told twice")
            _expect(len(column) == len(index), "a column of another length than the index")
            found[names[place]] = column
    _expect(len(found) == len(names), "columns without values")
    return pd.DataFrame({name: found[name] for name in names}, index=index)


def _columns(value: Any) -> list[tuple[int, Any]]:
    """Place and values of each column of a block."""
    values, placement, _ = _record(value, _BLOCK).arguments
    array, is_utc = _values(values)
    array = array if array.ndim > 1 else array[None]
    places = _placement(placement)
    _expect(len(places) == len(array), "a block of another size than its place")
    return [(place, _column(row, is_utc)) for place, row in zip(places, array, strict=True)]


def _placement(value: Any) -> list[int]:
    if not isinstance(value, Record) or value.kind != _SLICE:
        places = _array(value)
        _expect(places.dtype.kind == "i" and places.ndim == 1, "places of columns that are no integers")
        _expect(not (places < 0).any(), "a column before the first one")
        return [int(place) for place in places]
    start, stop, step = value.arguments
    _expect(0 <= start <= stop < _MAX_COLUMNS and step > 0, "places of columns out of order")
    return list(range(start, stop, step))


def _index(value: Any) -> "pd.Index[Any]":
    record = _record(value, _INDEX, _TIME_INDEX)
    kind, told = record.arguments
    name = told.get("name")
    if name_of(kind) == _RANGE:
        start, stop, step = (told[bound] for bound in ("start", "stop", "step"))
        _expect({type(start), type(stop), type(step)} == {int}, "a range of no integers")
        return pd.RangeIndex(start, stop, step, name=_name(name))
    _expect(record.kind == _TIME_INDEX or name_of(kind) in _PLAIN_INDEXES, f"an index of the kind {name_of(kind)}")
    array, is_utc = _values(told["data"])
    _expect(array.ndim == 1, "an index of several levels")
    index: pd.Index[Any] = pd.Index(_column(array, is_utc), name=_name(name))
    return index


def _name(value: Any) -> str | None:
    return value if type(value) is str else None


def _column(array: npt.NDArray[Any], is_utc: bool) -> Any:
    """One-dimensional values as a frame takes them, in memory of their own."""
    native = np.array(array, dtype=array.dtype.newbyteorder("="))
    return pd.DatetimeIndex(native).tz_localize("UTC") if is_utc else native


def _values(value: Any) -> Values:
    if not isinstance(value, Record) or value.kind != _BACKED:
        return _array(value), False
    _expect(name_of(value.arguments[0]) == _TIMES, f"values of the kind {name_of(value.arguments[0])}")
    dtype, array, _ = value.state
    instants = _array(array)
    _expect(instants.dtype.kind == "M", "instants that are none")
    return instants, _record(dtype, _ZONED, _DTYPE).kind == _ZONED


def _array(value: Any) -> npt.NDArray[Any]:
    record = _record(value, _ARRAY, _BUFFER)
    if record.kind == _BUFFER:
        content, dtype, shape, order, *rest = record.arguments
        axes = rest[0] if rest else None
    else:
        _, shape, dtype, is_fortran, content = record.state
        order, axes = "F" if is_fortran is True else "C", None
    _expect(type(shape) is tuple and len(shape) in (1, 2), "an array of more than two axes")
    _expect(all(type(size) is int and size >= 0 for size in shape), "an array of no size")
    flat = _flat(content, _dtype(dtype))
    _expect(flat.size == shape[0] * (shape[1] if shape[1:] else 1), "an array of another size than its content")
    if order == "K" and axes is not None:
        _expect(axes == (1, 0), "axes of an array in a strange order")
        return flat.reshape(shape).T
    return flat.reshape(shape, order="F" if order == "F" and not flat.dtype.hasobject else "C")


def _flat(content: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """All elements, in the file's order."""
    if dtype.hasobject:
        _expect(type(content) is list, "objects that are no list")
        odd = next((element for element in content if type(element) not in _TEXTS), None)
        _expect(odd is None, f"an element of the kind {odd.kind if isinstance(odd, Record) else type(odd).__name__}")
        flat = np.empty(len(content), dtype=object)
        flat[:] = content
        return flat
    return np.frombuffer(_bytes(content), dtype=dtype)


def _dtype(value: Any) -> np.dtype[Any]:
    """Of numbers, instants or objects; no other one, and none with fields, for these may hide addresses."""
    record = _record(value, _DTYPE)
    code, (_, order, subarray, names, fields, *rest) = record.arguments[0], record.state
    _expect(type(code) is str and type(order) is str and order in tuple("<>|="), "a strange type")
    _expect(subarray is None and names is None and fields is None, "a type of fields")
    if code in ("O", "O8"):
        return np.dtype(object)
    if code == "M8":
        unit, *multiple = rest[3][1]
        text = _bytes(unit).decode("ascii")
        _expect(text in _UNITS and multiple == [1, 1, 1], "instants of a strange unit")
        return np.dtype(f"{order}M8[{text}]")
    _expect(_NUMBERS.fullmatch(code) is not None, f"values of the type {code[:20]}")
    number: np.dtype[Any] = np.dtype(order + code)
    return number


def _bytes(value: Any) -> bytes:
    """Bytes; the old protocols write them as a text to be encoded."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    record = _record(value, _ENCODE, _BYTES)
    if record.kind == _BYTES:
        _expect(record.arguments == (), "bytes that are made from something")
        return b""
    text, encoding = record.arguments
    _expect(type(text) is str and encoding == "latin1", "bytes in a strange coding")
    return bytes(text, "latin1")
