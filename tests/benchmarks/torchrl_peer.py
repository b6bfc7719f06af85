"""torchrl's trees, loaded by themselves; run as a process of our own interpreter (peer_process.py tells how).

Its wheels are built for other versions of torch than ours: what the trees need is the same, what is missing is bound
only when it is called, and it is not. The row checks that the look-ups are equal. May go when the versions meet.
"""

import json
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from time import perf_counter
from types import ModuleType

import numpy as np
import torch
from tree_inputs import CAPACITY, TreeCalls, tree_calls

_TYPES = {"fp32": np.float32, "fp64": np.float64}


class Trees:
    """The two trees that torchrl's prioritised sampler keeps, of sums and of minima."""

    def __init__(self, extension: ModuleType, kind: str, calls: TreeCalls) -> None:
        self._sums = getattr(extension, f"SumSegmentTree{kind.capitalize()}")(CAPACITY)
        self._minima = getattr(extension, f"MinSegmentTree{kind.capitalize()}")(CAPACITY)
        self._calls = TreeCalls(
            *(values if values.dtype.kind == "i" else values.astype(_TYPES[kind]) for values in calls)
        )
        self._set(np.arange(CAPACITY), self._calls.first)

    def found(self) -> np.ndarray:
        """Places of all calls, (calls, B)."""
        return np.stack([self.call(number) for number in range(len(self._calls.indices))])

    def call(self, number: int) -> np.ndarray:
        """Set, then look up."""
        self._set(self._calls.indices[number], self._calls.priorities[number])
        return self._sums.scan_lower_bound(self._calls.masses[number])

    def total_and_minimum(self) -> list[float]:
        """Of all priorities."""
        return [float(tree.query(0, CAPACITY)) for tree in (self._sums, self._minima)]

    def per_second(self, seconds: float) -> float:
        """Calls a second."""
        number, start = 0, perf_counter()
        while (elapsed := perf_counter() - start) < seconds:
            self.call(number % len(self._calls.indices))
            number += 1
        return number / elapsed

    def _set(self, indices: np.ndarray, priorities: np.ndarray) -> None:
        self._sums[indices] = priorities
        self._minima[indices] = priorities


def load(path: Path) -> ModuleType:
    """torchrl's extension without torchrl."""
    sys.setdlopenflags(os.RTLD_LAZY)
    spec = spec_from_file_location("_torchrl", path)
    assert spec is not None
    assert spec.loader is not None
    extension = module_from_spec(spec)
    spec.loader.exec_module(extension)
    return extension


def main(extension: Path, found_path: Path, calls: int, seconds: float) -> None:
    """Store what both kinds find, then time them for each line that comes in."""
    answers, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    library, given = load(extension), tree_calls(calls)
    trees = {kind: Trees(library, kind, given) for kind in _TYPES}
    np.savez(found_path, **{kind: tree.found() for kind, tree in trees.items()})
    told = {"torch": torch.__version__, **{kind: tree.total_and_minimum() for kind, tree in trees.items()}}
    print(json.dumps(told), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps({kind: tree.per_second(seconds) for kind, tree in trees.items()}), file=answers, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
