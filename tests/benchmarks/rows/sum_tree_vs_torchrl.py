"""Trees of priorities alone, a million places: 256 priorities are set, 256 masses looked up; neither comes sorted."""

import logging
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from comparison import Measurement, Row, in_turns, require_equal, seconds_per_call
from peer_process import installed_peer, peer_process
from tree_inputs import BATCH, CAPACITY, TreeCalls, tree_calls

from MLOps.replay.sum_tree import SumTree

_LOG = logging.getLogger(__name__)
_RUNS, _QUICK_RUNS, _SECONDS, _CALLS = 15, 3, 0.3, 200
_SCRIPT = Path(__file__).parents[1] / "torchrl_peer.py"


class Ours:
    """`SumTree`, which keeps the minima as well."""

    def __init__(self, calls: TreeCalls) -> None:
        self._calls, self._number = calls, 0
        self.tree = SumTree(CAPACITY)
        self.tree.set(np.arange(CAPACITY), calls.first)

    def call(self) -> np.ndarray:
        """Set, then look up."""
        number = self._number % len(self._calls.indices)
        self._number += 1
        self.tree.set(self._calls.indices[number], self._calls.priorities[number])
        return self.tree.find(self._calls.masses[number])

    def per_second(self) -> float:
        """Calls a second."""
        return 1 / seconds_per_call(self.call, _SECONDS)


def measure(*, is_quick: bool) -> Measurement:
    """Check, then time."""
    ours = Ours(tree_calls(_CALLS))
    found = np.stack([ours.call() for _ in range(_CALLS)])
    with TemporaryDirectory() as folder:
        places = Path(folder, "places.npz")
        arguments = [_extension(), places, str(_CALLS), str(_SECONDS)]
        with peer_process(Path(sys.executable), _SCRIPT, arguments) as peer:
            _LOG.info("checking")
            with np.load(places, allow_pickle=False) as file:
                checked = [require_equal(f"places against {kind}", found, file[kind], 1e-12) for kind in file]
            for kind in ("fp32", "fp64"):
                require_equal("total, minimum", [ours.tree.total, ours.tree.minimum], peer.greeting[kind], 1e-12)
            _LOG.info("timing")
            answers: list[dict[str, float]] = []

            def of_peer() -> float:
                answers.append(peer.run())
                return answers[-1]["fp32"]

            timing = in_turns(of_peer, ours.per_second, _QUICK_RUNS if is_quick else _RUNS)
    fp64 = median(answer["fp64"] for answer in answers)
    return Measurement(
        timing=timing,
        check="; ".join([*checked, "totals and minima equal"]),
        size={"capacity": CAPACITY, "batch": BATCH},
        findings=(
            f"torchrl's trees in float64, as ours are: {fp64:,.0f} calls/s, ours {timing.ours / fp64:.1f} times",
        ),
        notes=(
            "The peer's figure is that of its float32 trees, its default and faster; ours holds float64.",
            "torchrl's own C++ trees, sums and minima, given NumPy arrays, which they take faster than tensors.",
            "Its wheel is built for another torch than ours; the trees alone are loaded, without the rest of it.",
        ),
        details={"peer_fp64_per_second": fp64, "ratio_with_fp64": timing.ours / fp64, "torch": peer.greeting["torch"]},
    )


def _extension() -> Path:
    """The compiled part of torchrl."""
    (path,) = (installed_peer("torchrl").parents[1] / "lib").glob("python*/site-packages/torchrl/_torchrl*.so")
    return path


ROW = Row(unit="calls/s", is_higher_better=True, target_ratio=1.0, measure=measure)
