"""Compiled functions are kept on disk, and made anew when anything that went into them changes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CALLER = """
from MLOps.compiled import compiled
from prices.rules import STEP, Terms, double
import prices.deep

@compiled
def answer(x, terms):
    return double(x) + STEP + terms.first * 100 + prices.deep.third(x)
"""
_FILES = {
    "__init__.py": "",
    "caller.py": _CALLER,
    "rules.py": """
from typing import NamedTuple
from MLOps.compiled import compiled, inlined
from prices.factor import FACTOR

STEP = 1

class Terms(NamedTuple):
    first: int
    second: int

@inlined
def double(x):
    return FACTOR * x
""",
    "factor.py": "FACTOR = 2\n",
    "deep.py": """
from MLOps.compiled import compiled

@compiled
def third(x):
    return 0 * x
""",
    "elsewhere.py": "NOTHING = 0\n",
}
_ASK = """
from prices.caller import answer
from prices.rules import Terms
value = answer(10, Terms(first=5, second=7))
stats = answer.stats
print(value, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with a compiled function that leans on three other modules."""
    folder = tmp_path / "prices"
    folder.mkdir()
    for name, text in _FILES.items():
        (folder / name).write_text(text)
    return folder


def ask(package: Path) -> tuple[int, str]:
    """The answer in a fresh interpreter, and whether its machine code was compiled or loaded."""
    path = os.pathsep.join([str(package.parent), *filter(None, sys.path)])
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    value, hits, misses = map(int, done.stdout.split())
    assert hits + misses == 1
    return value, "loaded" if hits else "compiled"


CHANGES = {
    "a function inlined": ("rules.py", "FACTOR * x", "FACTOR * x * x", 200 + 1 + 500),
    "a constant": ("rules.py", "STEP = 1", "STEP = 4", 200 + 4 + 500),
    "a tuple's layout": (
        "rules.py",
        "    first: int\n    second: int",
        "    second: int\n    first: int",
        200 + 4 + 500,
    ),
    "an import's import": ("factor.py", "2", "3", 300 + 4 + 500),
    "a function called": ("deep.py", "0 * x", "1000 * x", 300 + 4 + 500 + 10_000),
}


def test_is_compiled_anew_after_a_change_of_what_it_needs_and_loaded_otherwise(package: Path) -> None:
    assert ask(package) == (521, "compiled")
    for what, (file, old, new, changed) in CHANGES.items():
        source = (package / file).read_text()
        assert old in source
        (package / file).write_text(source.replace(old, new))
        assert ask(package) == (changed, "compiled"), what
    (package / "elsewhere.py").write_text("NOTHING = 1\n")
    (package / "deep.py").touch()
    assert ask(package) == (changed, "loaded")
