"""A pickle is read without running or importing anything, whatever it says."""

import pickle
import pickletools
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from MLOps.market.inert_pickle import InertPickleError, Record, load_inert, name_of

ALLOWED = frozenset({"builtins.eval", "os.system", "builtins.object", "copyreg._reconstructor", "numpy._core.x.y"})
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class _Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back(protocol: int) -> None:
    values = {"a": [1, 2.5, None, True, -(10**30)], "b": ("é", b"\x00\xff" if protocol > 2 else "", {3})}
    found = load_inert(pickle.dumps(values, protocol), frozenset({"builtins.set"}))
    assert found["a"] == values["a"]
    assert found["b"][:2] == values["b"][:2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_even_an_allowed_name_is_a_label_and_never_called(protocol: int, tmp_path: Path) -> None:
    """`eval` itself may be on the list: it stands for nothing."""
    found = load_inert(pickle.dumps(_Calls(eval, f"open({str(tmp_path / 'made')!r}, 'w')"), protocol), ALLOWED)
    assert isinstance(found, Record)
    assert found.kind == "builtins.eval"
    assert found.arguments[0].startswith("open(")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_name_is_refused_and_its_module_is_not_imported(protocol: int) -> None:
    by_opcode = pickle.GLOBAL + b"antigravity\ngeohash\n"
    by_stack = b"\x8c\x0bantigravity\x8c\x07geohash" + pickle.STACK_GLOBAL
    for call in (by_opcode, by_stack):
        content = b"\x80" + bytes([max(protocol, 2)]) + call + b"." if protocol > 1 else by_opcode + b"."
        with pytest.raises(InertPickleError, match=r"speaks of 'antigravity\.geohash'"):
            load_inert(content, ALLOWED)
    assert "antigravity" not in sys.modules


def test_a_dotted_name_does_not_reach_inside_an_allowed_one() -> None:
    content = b"\x80\x04\x8c\x02os\x8c\x0fsystem.__self__" + pickle.STACK_GLOBAL + b"."
    with pytest.raises(InertPickleError, match=r"speaks of 'os\.system\.__self__'"):
        load_inert(content, ALLOWED)


_LABEL = b"cos\nsystem\n"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (_LABEL + b"}\x8c\x01aK\x01sb.", "__setstate__"),  # a state for the label itself
        (_LABEL + b"N}\x8c\x08__name__\x8c\x01xs\x86b.", "__setstate__"),  # slots for the label itself
        (_LABEL + b")R)R.", "not callable"),  # a call of what a call gave
        (_LABEL + b")R}NNsR.", "argument list"),
        (_LABEL + b")RNNs.", "item assignment"),
        (_LABEL + b")RNa.", "has no attribute"),  # an element for a record
        (_LABEL + b")R(N\x90.", "has no attribute"),  # elements for a set
        (b"])\x81.", "class argument|not callable|must be a type"),  # an object made of a list
        (_LABEL + b")}\x8c\x01aK\x01s\x92.", "keyword argument"),
    ],
)
def test_a_record_can_be_told_a_state_and_nothing_else(body: bytes, told: str) -> None:
    with pytest.raises(InertPickleError, match=f"is no pickle: .*({told})"):
        load_inert(b"\x80\x04" + body, ALLOWED)


def test_a_label_that_was_marked_does_not_outlive_its_pickle() -> None:
    first = load_inert(b"\x80\x04cos\nsystem\n.", ALLOWED)
    second = load_inert(b"\x80\x04cos\nsystem\n.", ALLOWED)
    assert first is not second
    assert name_of(first) == name_of(second) == "os.system"


def test_old_spellings_of_modules_mean_the_present_ones() -> None:
    assert name_of(load_inert(b"c__builtin__\neval\n.", ALLOWED)) == "builtins.eval"
    assert name_of(load_inert(b"cnumpy.core.x\ny\n.", ALLOWED)) == "numpy._core.x.y"
    old = load_inert(b"ccopy_reg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.", ALLOWED)
    assert old.kind == "os.system"


@pytest.mark.parametrize("opcode", ["EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER"])
def test_objects_from_outside_are_refused(opcode: str) -> None:
    code = next(entry.code for entry in pickletools.opcodes if entry.name == opcode).encode("latin1")
    content = (
        b"\x80\x05N"
        + code
        + {"EXT1": b"\x01", "EXT2": b"\x01\0", "EXT4": b"\x01\0\0\0", "PERSID": b"1\n"}.get(opcode, b"")
    )
    with pytest.raises(InertPickleError, match=rf"takes objects from outside \({opcode}\)"):
        load_inert(content + b".", ALLOWED)


def test_a_memo_of_billions_is_refused_before_it_takes_memory() -> None:
    content = b"\x80\x04N" + pickle.LONG_BINPUT + struct.pack("<I", 2**32 - 1) + b"."
    with pytest.raises(InertPickleError, match="place 4294967295 of its memo"):
        load_inert(content, ALLOWED)


_READS = """
import sys
from MLOps.market.inert_pickle import InertPickleError, load_inert
try:
    load_inert(sys.stdin.buffer.read(), frozenset({"os.system"}))
except InertPickleError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "body",
    [
        b"})" + b"\x85" * 3_000_000 + b"Ns.",  # one within the other: hashing it ran over the stack
        b"})" + b"\x85q\x00" * 500_000 + b"Ns.",  # each remembered
        b"})" + b"\x85(e" * 500_000 + b"Ns.",  # as a list that gets nothing
        b"})" + b"\x85Nb" * 500_000 + b"Ns.",  # told no state
        b"})" + b"2\x86" * 64 + b"Ns.",  # each twice: 2**64 to hash
    ],
)
def test_tuples_too_deep_to_be_hashed_are_refused(body: bytes) -> None:
    """As a process of its own, for it was the interpreter that ended."""
    done = subprocess.run([sys.executable, "-c", _READS], input=b"\x80\x04" + body, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"has more than 100 tuples in one another\n"), done.stderr[-500:]


def test_a_hundred_tuples_are_read_and_flat_ones_of_any_number() -> None:
    within: Any = ()
    for _ in range(100):
        within = (within,)
    assert load_inert(pickle.dumps(within), ALLOWED) == within
    with pytest.raises(InertPickleError, match="more than 100 tuples"):
        load_inert(pickle.dumps((within,)), ALLOWED)
    many = [(number, str(number)) for number in range(1000)]
    assert load_inert(pickle.dumps(many), ALLOWED) == many


@pytest.mark.parametrize("body", [b"\x85.", b"(\x85.", b"(q\x00.", b"h\x05.", b"Nt.", b"(2.", b"(N\x86."])
def test_what_the_stack_or_memo_lacks_is_told(body: bytes) -> None:
    with pytest.raises(InertPickleError, match="is no whole pickle"):
        load_inert(b"\x80\x04" + body, ALLOWED)


def test_every_cut_is_told() -> None:
    content = pickle.dumps({"a": [1.5, "text", b"bytes"] * 5}, protocol=4)
    for length in range(len(content)):
        with pytest.raises(InertPickleError, match="is no"):
            load_inert(content[:length], ALLOWED)
