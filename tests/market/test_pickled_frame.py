"""A user's pickle gives the frame that pandas would give, or one line; it never gives them code to run."""

import base64
import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.market.pickled_frame import ALLOWED, read_pickled_frame

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
SAMPLES = Path(__file__).parent / "pickles"
_HOURS = pd.date_range("2020-01-01", periods=6, freq="h")
_BASE = pd.DataFrame({"open": np.arange(6) + 0.5, "count": np.arange(6), "note": [*list("abcde"), None]})
FRAMES = {
    "range index": _BASE,
    "hours": _BASE.set_index(_HOURS),
    "hours without frequency": _BASE.set_index(pd.DatetimeIndex(_HOURS.to_numpy())),
    "hours in UTC": _BASE.set_index(_HOURS.tz_localize("UTC").rename("time")),
    "instants as columns": _BASE.assign(naive=_HOURS, aware=_HOURS.tz_localize("UTC"), seconds=_HOURS.as_unit("s")),
    "texts as index": _BASE.set_index(_HOURS.astype(str)),
    "integers as index": _BASE.set_index(pd.Index(np.arange(6) * 3600)),
    "one block, turned": pd.DataFrame(np.arange(12.0).reshape(6, 2), columns=["a", "b"]),
    "rows left out": pd.concat([_BASE] * 3, ignore_index=True).iloc[2:15:3],
    "columns in turn": pd.DataFrame({"a": [1.0], "b": [2], "c": [3.0], "d": [4], "e": [5.0]}),
    "other widths": pd.DataFrame({"f4": np.float32([1]), "u1": np.uint8([200]), "b": [True]}),
    "no row": pd.DataFrame({"a": np.array([], dtype=float)}),
    "no column": pd.DataFrame(),
}


def _write(path: Path, value: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", FRAMES)
def test_equals_what_pandas_reads(tmp_path: Path, name: str, protocol: int) -> None:
    path = _write(tmp_path / "frame.pkl", FRAMES[name], protocol)
    pd.testing.assert_frame_equal(read_pickled_frame(path, 10**6), pd.read_pickle(path), check_freq=False)


def test_bytes_of_another_order_come_as_the_machine_has_them(tmp_path: Path) -> None:
    path = _write(tmp_path / "frame.pkl", pd.DataFrame({"a": np.array([7, -2], ">i4"), "b": np.array([0.5, 1], ">f8")}))
    expected = pd.DataFrame({"a": np.array([7, -2], np.int32), "b": [0.5, 1.0]})
    pd.testing.assert_frame_equal(read_pickled_frame(path, 10**6), expected)


def test_local_times_come_in_utc(tmp_path: Path) -> None:
    path = _write(tmp_path / "frame.pkl", _BASE.set_index(_HOURS.tz_localize("America/New_York")))
    assert read_pickled_frame(path, 10**6).index[0] == pd.Timestamp("2020-01-01 05:00", tz="UTC")


@pytest.mark.parametrize("name", ["pandas_1_5_3_utc_index", "pandas_1_5_3_protocol_0"])
def test_a_pickle_of_pandas_1_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "old.pkl").write_bytes(base64.b64decode((SAMPLES / f"{name}.pkl.base64").read_bytes()))
    found = read_pickled_frame(tmp_path / "old.pkl", 10**6)
    expected = pd.DataFrame({"open": np.arange(5) + 1.0, "volume": np.arange(5), "s": list("abcde")})
    pd.testing.assert_frame_equal(found[["open", "volume", "s"]].reset_index(drop=True), expected)
    times = found.index if "date" not in found else pd.DatetimeIndex(found["date"])
    assert list(times) == list(pd.date_range("2020", periods=5, freq="h", tz="UTC"))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.tuples(st.floats(width=64), st.integers(-(2**63), 2**63 - 1), st.text()), max_size=8),
    protocol=st.sampled_from(PROTOCOLS),
)
def test_any_figures_and_texts_come_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[float, int, str]], protocol: int
) -> None:
    frame = pd.DataFrame(values, columns=["x", "n", "text"]).astype({"x": float, "n": "int64", "text": object})
    path = _write(tmp_path_factory.mktemp("any") / "frame.pkl", frame, protocol)
    pd.testing.assert_frame_equal(read_pickled_frame(path, 10**6), frame)


class _Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


def _inside_a_frame(attack: Any) -> pd.DataFrame:
    """A good frame, one of whose texts is the attack."""
    return pd.DataFrame({"open": [1.0], "note": [attack]})


def _as_state(attack: Any) -> Any:
    class State(pd.DataFrame):
        def __reduce__(self) -> tuple[Any, ...]:
            return pd.DataFrame, (), {"_mgr": attack}

    return State()


ATTACKS: dict[str, Callable[[Any], Any]] = {
    "bare": lambda attack: attack,
    "in a cell": _inside_a_frame,
    "as the frame's state": _as_state,
    "as an argument of an allowed class": lambda attack: _Calls(pd.core.indexes.base._new_Index, pd.Index, attack),
    "called by an allowed class": lambda attack: _Calls(np.dtype, attack),
    "in a dict": lambda attack: {"BTC": pd.DataFrame(), "x": attack},
    "after a good one": lambda attack: (pd.DataFrame({"a": [1.0]}), attack),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("way", ATTACKS)
@pytest.mark.parametrize("function", ["os.system", "eval", "exec", "getattr", "open"])
def test_no_attack_runs(tmp_path: Path, way: str, protocol: int, function: str) -> None:
    mark = tmp_path / "mark"
    calls = {
        "os.system": _Calls(os.system, f"touch {mark}"),
        "eval": _Calls(eval, f"open({str(mark)!r}, 'w')"),
        "exec": _Calls(exec, f"open({str(mark)!r}, 'w')"),
        "getattr": _Calls(getattr, pd.DataFrame, "to_pickle"),
        "open": _Calls(open, str(mark), "w"),
    }
    path = _write(tmp_path / "attack.pkl", ATTACKS[way](calls[function]), protocol)
    with pytest.raises(DataError, match=r"attack\.pkl speaks of '\w+\.\w+'; allowed: one pandas DataFrame") as error:
        read_pickled_frame(path, 10**6)
    assert "\n" not in str(error.value)
    assert not mark.exists()


def test_a_class_that_looks_like_an_allowed_one_is_refused(tmp_path: Path) -> None:
    for name in (
        b"pandas.core.frame\nDataFrame.eval",
        b"pandas.core.frame\nDataFrame.__class__",
        b"pandas\nread_pickle",
    ):
        (tmp_path / "x.pkl").write_bytes(b"c" + name + b"\n.")
        with pytest.raises(DataError, match="speaks of"):
            read_pickled_frame(tmp_path / "x.pkl", 10**6)


def test_no_allowed_name_is_more_than_a_label() -> None:
    """None of them leads to a callable of pandas, NumPy or Python while a pickle is read."""
    from MLOps.market.inert_pickle import Record, load_inert

    for name in sorted(ALLOWED):
        module, _, attribute = name.rpartition(".")
        label = load_inert(f"c{module}\n{attribute}\n.".encode(), ALLOWED)
        assert label.__mro__[1:] == (Record, object)


def _array_told(code: str, state: tuple[Any, ...], content: Any, shape: tuple[int, ...] = (1,)) -> Any:
    """An index of one array that is told in the words of NumPy's own pickles."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=4)

    class Dtype:
        def __reduce__(self) -> tuple[Any, ...]:
            return np.dtype, (code, False, True), state

    class Array:
        def __reduce__(self) -> tuple[Any, ...]:
            reconstruct = np.zeros(0).__reduce__()[0]
            return reconstruct, (np.ndarray, (0,), b"b"), (1, shape, Dtype(), False, content)

    class Frame:
        def __reduce__(self) -> tuple[Any, ...]:
            manager = pd.core.internals.managers.BlockManager
            index = _Calls(pd.core.indexes.base._new_Index, pd.Index, {"data": Array(), "name": None})
            return pd.DataFrame, (), {"_mgr": _Calls(manager, (), [index, index])}

    pickler.dump(Frame())
    return stream.getvalue()


_PLAIN = (3, "<", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    ("code", "state", "content", "told"),
    [
        ("O8", (3, "|", None, None, None, -1, -1, 63), b"\xde\xad\xbe\xef" * 2, "objects that are no list"),
        ("O8", (3, "|", None, None, None, -1, -1, 0), b"\xde\xad\xbe\xef" * 2, "objects that are no list"),
        ("V8", (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 8, 0), b"\xde\xad\xbe\xef" * 2, "speaks|fields"),
        ("V8", _PLAIN, b"\0" * 8, "values of the type V8"),
        ("f8", (3, "<", (np.dtype("O"), (1,)), None, None, -1, -1, 0), b"\0" * 8, "a type of fields"),
        ("f8", _PLAIN, b"\0" * 7, "buffer size must be a multiple"),
        ("f8", _PLAIN, b"\0" * 16, "another size than its content"),
        ("f8", _PLAIN, [1.0], "list where encode belongs"),
        ("f8", (3, "<,O", None, None, None, -1, -1, 0), b"\0" * 8, "a strange type"),
        ("U99999999999", _PLAIN, b"\0" * 8, "values of the type"),
        ("M8", (4, "<", None, None, None, -1, -1, 0, ({}, (b"Y", 1, 1, 1))), b"\0" * 8, "a strange unit"),
        ("M8", (4, "<", None, None, None, -1, -1, 0, ({}, (b"ns", 7, 1, 1))), b"\0" * 8, "a strange unit"),
        ("O8", (3, "|", None, None, None, -1, -1, 63), [[1]], "an element of the kind list"),
    ],
)
def test_an_array_that_would_lead_numpy_astray_is_refused(
    tmp_path: Path, code: str, state: tuple[Any, ...], content: Any, told: str
) -> None:
    """NumPy itself believes the second one, and crashes where it reads the bytes as addresses."""
    (tmp_path / "array.pkl").write_bytes(_array_told(code, state, content))
    with pytest.raises(DataError, match=told):
        read_pickled_frame(tmp_path / "array.pkl", 10**6)


@pytest.mark.parametrize("shape", [(-1,), (2**62,), (2**40, 2**40), (1, 1, 1), ("1",), (True,)])
def test_an_array_of_a_false_shape_is_refused(tmp_path: Path, shape: tuple[Any, ...]) -> None:
    (tmp_path / "array.pkl").write_bytes(_array_told("f8", _PLAIN, b"\0" * 8, shape))
    with pytest.raises(DataError, match="array of"):
        read_pickled_frame(tmp_path / "array.pkl", 10**6)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"BTC": 1}, "dict where DataFrame belongs"),
        ([1, 2], "list where DataFrame belongs"),
        (None, "NoneType where"),
        (pd.Series([1.0]), r"speaks of 'pandas\.core\.series\.Series'"),
        (np.zeros(3), "_reconstruct where DataFrame belongs"),
        (pd.DataFrame({("a", "b"): [1.0]}), "MultiIndex"),
        (pd.DataFrame({"a": pd.Categorical(["x"])}), "Categorical"),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), "two columns of one name"),
        (pd.DataFrame({1: [1.0]}), "columns whose names are no texts"),
    ],
)
def test_what_is_no_plain_frame_is_told(tmp_path: Path, value: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_pickled_frame(_write(tmp_path / "x.pkl", value), 10**6)


def test_every_cut_of_a_file_is_told(tmp_path: Path) -> None:
    path = _write(tmp_path / "frame.pkl", FRAMES["hours in UTC"])
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"frame\.pkl is no"):
            read_pickled_frame(path, 10**6)


@settings(max_examples=400, deadline=None)
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255), protocol=st.sampled_from([0, 2, 4, 5]))
def test_a_changed_byte_gives_a_frame_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, protocol: int
) -> None:
    content = bytearray(pickle.dumps(FRAMES["instants as columns"], protocol=protocol))
    content[place % len(content)] = byte
    path = tmp_path_factory.mktemp("changed") / "frame.pkl"
    path.write_bytes(content)
    try:
        assert isinstance(read_pickled_frame(path, 10**6), pd.DataFrame)
    except DataError as error:
        line = str(error)
        assert "\n" not in line


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "frame.pkl", _BASE)
    size = path.stat().st_size
    assert len(read_pickled_frame(path, size)) == 6
    with pytest.raises(DataError, match=f"larger than {size - 1} bytes; allowed: a smaller file; mend: max_file_mib"):
        read_pickled_frame(path, size - 1)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.pkl cannot be read: No such file"):
        read_pickled_frame(tmp_path / "none.pkl", 10)
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_pickled_frame(tmp_path, 10)
