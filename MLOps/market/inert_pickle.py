"""Read a pickle as a description: what it would call and with what, and nothing is called or imported.

A pickle is a programme. Python's own way to restrain it is a list of classes that it may use, yet each of
these runs code of its own on what the file tells it, and NumPy's arrays and dtypes take a state that leads
them to foreign memory. Here every name of the list stands for an inert `Record` that keeps what it was
given, and any other name is refused when it is read. What the records mean is for their reader to say.

It does not protect from a file that is made to take memory or time: its reader sets a limit to its size.
"""

import io
import pickle
import pickletools
from typing import Any, ClassVar

from MLOps.market.pickle_nesting import TupleNesting

_MAX_TUPLES = 100  # in one value; what pandas writes has a handful
_EXTENSIONS = frozenset({"EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER"})
"""Opcodes that take objects from outside of the file."""
_MEMO = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_RENAMED = (("copy_reg", "copyreg"), ("__builtin__", "builtins"), ("numpy.core.", "numpy._core."))
_RECONSTRUCTOR = "copyreg._reconstructor"  # protocols 0 and 1: the class is its first argument


class InertPickleError(ValueError):
    """The bytes are no whole pickle, or one that holds more than it may."""


class Record:
    """What a pickle says of one object.

    Attributes
    ----------
    full_name : str
        Of the class or function that it would be made by, as ``module.name``.
    arguments : tuple
        What that would be called with; may hold anything that a pickle holds, records and their classes among it.
    state : object
        What the object would be told afterwards; None where it is told nothing.
    """

    __slots__ = ("arguments", "state")
    full_name: ClassVar[str] = ""
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "Record":
        record = object.__new__(cls)
        record.arguments, record.state = arguments, None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @property
    def kind(self) -> str:
        """`full_name`, or that of the class which the old protocols' constructor was given."""
        if self.full_name == _RECONSTRUCTOR and self.arguments:
            return name_of(self.arguments[0])
        return self.full_name


def name_of(value: Any) -> str:
    """The full name of a class in a pickle; empty for whatever else."""
    return value.full_name if isinstance(value, type) and issubclass(value, Record) else ""


def load_inert(content: bytes, allowed: frozenset[str]) -> Any:
    """What a pickle of any protocol holds: plain values, and `Record` for everything else.

    Parameters
    ----------
    content : bytes
        The pickle.
    allowed : frozenset of str
        Names of the classes and functions that it may speak of, as Python 3 and NumPy 2 spell their modules.

    Raises
    ------
    InertPickleError
        If it speaks of another one, takes objects from outside, has more than 100 tuples in one another, is cut
        short, or is no pickle.
    """
    _check_opcodes(content)
    try:
        return _Unpickler(content, allowed).load()
    except InertPickleError:
        raise
    except Exception as error:  # a malformed pickle ends in nearly any kind
        raise InertPickleError(f"is no pickle: {_line(error)}") from error


def _check_opcodes(content: bytes) -> None:
    """Refuse what reaches outside, what is nested too deep to be hashed, and places of the memo beyond any use.

    The memo is as long as its highest place.
    """
    nesting = TupleNesting()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in _EXTENSIONS:
                raise InertPickleError(f"takes objects from outside ({opcode.name})")
            if opcode.name in _MEMO and int(str(argument)) > len(content):
                raise InertPickleError(f"names place {argument} of its memo, in {len(content)} bytes")
            if nesting.follow(opcode, argument) > _MAX_TUPLES:
                raise InertPickleError(f"has more than {_MAX_TUPLES} tuples in one another")
    except InertPickleError:
        raise
    except Exception as error:  # likewise
        raise InertPickleError(f"is no whole pickle: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


class _Unpickler(pickle.Unpickler):
    """Gives a class of records for each allowed name; a new one each time it loads, so that nothing outlives it."""

    def __init__(self, content: bytes, allowed: frozenset[str]) -> None:
        super().__init__(io.BytesIO(content))
        self._allowed = allowed
        self._classes: dict[str, type[Record]] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = f"{module_name}.{global_name}"
        for old, new in _RENAMED:
            name = new + name.removeprefix(old) if name.startswith(old) else name
        if name not in self._allowed:
            raise InertPickleError(f"speaks of {name[:100]!r}")
        if name not in self._classes:
            self._classes[name] = type("NamedRecord", (Record,), {"__slots__": (), "full_name": name})
        return self._classes[name]
