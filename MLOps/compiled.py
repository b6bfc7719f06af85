"""Compiled functions, kept on disk until any file that went into them changes."""

import ast
import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Numba's ``njit`` with its cache beside the source, which also knows the files that the source imports.

    Numba recompiles when the function's own file changes. But the machine code also holds the functions that
    it calls, the constants that it reads and the layout of its tuples, and where those come from another
    module the cache would go on serving the old ones. So the stamp that it compares is a digest of the
    function's file and of all files of the same package that this one imports, directly or not.

    Divisions are NumPy's: by zero they give infinity or NaN. Python's, which raise, would keep the processor
    from dividing several numbers at once.
    """
    dispatcher: Any = njit(cache=True, error_model="numpy")(function)
    dispatcher._cache._cache_file._source_stamp = _digest(function.__module__)  # private: numba is pinned, tests guard
    result: Function = dispatcher
    return result


def inlined(function: Function) -> Function:
    """A function that is compiled into its callers; it has no cache of its own."""
    dispatcher: Any = njit(inline="always", error_model="numpy")(function)
    result: Function = dispatcher
    return result


@cache
def _digest(module: str) -> str:
    """Sha256 of the sources of a module, of this one, and of what they import."""
    seen: dict[str, bytes] = {}
    waiting = {module, __name__}
    while waiting:
        name = waiting.pop()
        seen[name] = _source(name)
        waiting |= {found for found in _imported(name, seen[name]) if found not in seen}
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(hashlib.sha256(seen[name]).digest())
    return digest.hexdigest()


def _source(module: str) -> bytes:
    path = sys.modules[module].__file__
    return b"" if path is None else Path(path).read_bytes()  # a package without an __init__.py holds nothing


def _imported(module: str, source: bytes) -> Iterator[str]:
    """Modules of the same package that a source imports at its top; within a function they cannot be compiled."""
    package = module.partition(".")[0]
    for name in _named(module, source):
        if name in sys.modules and name.partition(".")[0] == package:
            yield name


def _named(module: str, source: bytes) -> Iterator[str]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), sys.modules[module].__package__)
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)  # where the name is itself a module
