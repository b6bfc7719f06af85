"""Prioritised replay of a million transitions: 256 are drawn with their data and weights, and get new priorities.

The draws of the two are random and differ. So the check takes what each drew: its data must be that of its places,
its weights those of its places' priorities, and every part of the total priority must come up as often as any other.
"""

import logging
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from comparison import Measurement, NotEqualError, Row, in_turns, require_equal, seconds_per_call
from peer_process import installed_peer, peer_process
from replay_inputs import (
    BATCH,
    CAPACITY,
    IMPORTANCE_EXPONENT,
    PRIORITY_EXPONENT,
    SIZE,
    chunks,
    new_priorities,
)
from scipy.stats import chi2

from MLOps.replay.prioritized import PrioritizedReplay
from MLOps.replay.transitions import ReplayBatch, Transitions

_LOG = logging.getLogger(__name__)
_RUNS, _QUICK_RUNS, _SECONDS = 15, 3, 0.5
_CHECKED_BATCHES, _PARTS, _CHANCE = 200, 50, 1e-4
_SCRIPT = Path(__file__).parents[1] / "cpprb_peer.py"

FloatArray = npt.NDArray[np.float64]


class Ours:
    """A full replay."""

    def __init__(self) -> None:
        self._replay = PrioritizedReplay(CAPACITY, SIZE, PRIORITY_EXPONENT, np.random.default_rng(3))
        for chunk in chunks():
            rewards, discounts = chunk.rewards, chunk.discounts
            self._replay.add(
                Transitions(chunk.observations, chunk.actions, rewards, chunk.next_observations, discounts)
            )
            self._replay.set_priorities(chunk.first + np.arange(len(rewards)), chunk.priorities)
        self._priorities = cycle(new_priorities())

    def draw(self) -> ReplayBatch:
        """A batch."""
        return self._replay.sample(BATCH, IMPORTANCE_EXPONENT)

    def learn(self) -> None:
        """Draw and set."""
        self._replay.set_priorities(self.draw().indices, next(self._priorities))

    def per_second(self) -> float:
        """Batches a second."""
        return 1 / seconds_per_call(self.learn, _SECONDS)


def measure(*, is_quick: bool) -> Measurement:
    """Check, then time."""
    ours = Ours()
    with TemporaryDirectory() as folder:
        batches = Path(folder, "batches.npz")
        arguments = [batches, str(_CHECKED_BATCHES), str(_SECONDS)]
        _LOG.info("filling the peer")
        with peer_process(installed_peer("cpprb"), _SCRIPT, arguments) as peer:
            _LOG.info("checking")
            with np.load(batches, allow_pickle=False) as file:
                checked = check(ours, dict(file))
            _LOG.info("timing")
            runs = _QUICK_RUNS if is_quick else _RUNS
            timing = in_turns(lambda: float(peer.run()["per_second"]), ours.per_second, runs)
            versions = peer.greeting
    return Measurement(
        timing=timing,
        check=checked,
        size={"capacity": CAPACITY, "batch": BATCH, "observation": SIZE},
        findings=(f"ours takes {1e6 / timing.ours:.0f} microseconds for both, the peer {1e6 / timing.peer:.0f}",),
        notes=(
            "Both draw one transition out of each 256th of the total and give copies of observation, action, return, "
            "next observation and discount, weights and places; new priorities come as float32.",
            "cpprb adds a constant to each priority, ours keeps a floor: the one is set to 0, the other is not met.",
            "cpprb's sums are float32, ours float64.",
        ),
        details=dict(versions),
    )


def check(ours: Ours, theirs: dict[str, npt.NDArray[np.generic]]) -> str:
    """What each drew against the data, and so against each other.

    Raises
    ------
    NotEqualError
        If a number is not that of its place, or the parts of the total priority do not come up alike.
    """
    drawn = [ours.draw() for _ in range(_CHECKED_BATCHES)]
    places = np.concatenate([batch.indices for batch in drawn])
    whole = list(chunks())
    columns = {
        "obs": (whole_of("observations", whole), [batch.observations for batch in drawn]),
        "next_obs": (whole_of("next_observations", whole), [batch.next_observations for batch in drawn]),
        "act": (whole_of("actions", whole), [batch.actions for batch in drawn]),
        "rew": (whole_of("rewards", whole), [batch.returns for batch in drawn]),
        "discount": (whole_of("discounts", whole), [batch.discounts for batch in drawn]),
    }
    their_places = theirs["indexes"].astype(np.int64)
    for name, (data, of_ours) in columns.items():
        require_equal(f"our {name}", np.concatenate(of_ours), data[places], rtol=1e-9)
        require_equal(f"the peer's {name}", theirs[name].reshape(data[their_places].shape), data[their_places], 1e-9)
    leaves = whole_of("priorities", whole).astype(np.float64) ** PRIORITY_EXPONENT
    weights = (leaves.min() / leaves) ** IMPORTANCE_EXPONENT
    told = require_equal("our weights", np.concatenate([batch.weights for batch in drawn]), weights[places], 1e-5)
    told += "; " + require_equal("the peer's weights", theirs["weights"], weights[their_places], 1e-5)
    return f"data of {len(places):,} draws each; {told}; {_alike(places, leaves)}; peer: {_alike(their_places, leaves)}"


def whole_of(name: str, whole: list[object]) -> npt.NDArray[np.generic]:
    """One column of all transitions."""
    return np.concatenate([getattr(chunk, name) for chunk in whole])


def _alike(places: npt.NDArray[np.int64], leaves: FloatArray) -> str:
    """Chi-square of the draws over parts of equal chance, of sorted priorities: a wrong exponent fails."""
    order = np.argsort(leaves)
    share = np.cumsum(leaves[order]) / leaves.sum()
    part = np.empty(len(leaves), np.int64)
    part[order] = np.minimum((share * _PARTS).astype(np.int64), _PARTS - 1)
    chances = np.bincount(part, leaves, _PARTS) / leaves.sum()
    expected, observed = len(places) * chances, np.bincount(part[places], minlength=_PARTS)
    statistic, bound = ((observed - expected) ** 2 / expected).sum(), chi2.ppf(1 - _CHANCE, _PARTS - 1)
    if statistic > bound:
        raise NotEqualError(f"draws do not follow the priorities: chi-square {statistic:.0f}, allowed {bound:.0f}")
    return f"chi-square of the draws over {_PARTS} parts of equal chance {statistic:.0f} (allowed {bound:.0f})"


ROW = Row(unit="batches/s", is_higher_better=True, target_ratio=2.0, measure=measure)
