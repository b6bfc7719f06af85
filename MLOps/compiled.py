"""Compiled functions, kept on disk until any file that went into them changes."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from numba import njit
from numba.extending import is_jitted

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Numba's ``njit`` with its cache beside the source, which also knows the files of the functions called.

    Numba recompiles when the function's own file changes. But the machine code holds the functions that it
    calls too, and those of another module may change without this file: the cache would go on serving the
    old arithmetic. So the stamp that the cache compares is a digest of this file and of every file that the
    module imports compiled functions from.
    """
    dispatcher: Any = njit(cache=True)(function)
    assert isinstance(function, FunctionType)
    digest = hashlib.sha256()
    for path in sorted(_files(function.__globals__, set())):
        digest.update(Path(path).read_bytes())
    dispatcher._cache._cache_file._source_stamp = digest.hexdigest()  # numba is pinned; a test guards this line
    result: Function = dispatcher
    return result


def inlined(function: Function) -> Function:
    """A function that is compiled into its callers; it has no cache of its own."""
    dispatcher: Any = njit(inline="always")(function)
    result: Function = dispatcher
    return result


def _files(namespace: dict[str, Any], seen: set[str]) -> set[str]:
    """Files of a module and of all modules whose compiled functions it can call."""
    path = namespace["__file__"]
    if path not in seen:
        seen.add(path)
        for called in _called_from_elsewhere(namespace):
            _files(called.__globals__, seen)
    return seen


def _called_from_elsewhere(namespace: dict[str, Any]) -> Iterator[Any]:
    for value in list(namespace.values()):
        members = vars(value).values() if isinstance(value, ModuleType) and _is_ours(value) else [value]
        for member in members:
            if is_jitted(member) and member.py_func.__globals__ is not namespace:
                yield member.py_func


def _is_ours(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] == __package__.partition(".")[0]
