"""Rainbow's training end to end: acting, environment, replay, a gradient step in four frames.

Both begin with the same weights and play the same cycles; each stretch is as many frames for one side as for the other.
"""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rainbow_checks
import rainbow_task
import torch
from comparison import Demand, Measurement, Row, in_turns
from our_rainbow import SHIPPED_ENVS, OurTraining
from peer_process import PeerProcess, installed_peer, peer_process
from tianshou_peer import NUMBERS, STOCK
from update_arithmetic import multiply_adds, multiply_adds_a_second
from update_clock import Spent

from MLOps.environments.dca_timing_kernel import ACTIONS

_LOG = logging.getLogger(__name__)
_FRAMES, _FRAMES_QUICK, _RUNS, _RUNS_QUICK = 4_096, 512, 5, 1
_TARGET_AT_ONE, _TARGET_AT_BEST = 3.0, 2.0
_SCRIPT = Path(__file__).parents[1] / "tianshou_peer.py"
_ONE = "1"

Spending = Mapping[str, Sequence[Spent]]


def measure(*, is_quick: bool) -> Measurement:
    """Check, then time."""
    frames, runs = (_FRAMES_QUICK, _RUNS_QUICK) if is_quick else (_FRAMES, _RUNS)
    packages = next((installed_peer("tianshou").parents[1] / "lib").glob("python*/site-packages"))
    with _one_thread(), TemporaryDirectory() as folder:
        answers = Path(folder, "answers.npz")
        _LOG.info("warming up the peer")
        with peer_process(Path(sys.executable), _SCRIPT, [packages, answers, str(frames)]) as peer:
            _LOG.info("checking")
            with np.load(answers, allow_pickle=False) as file:
                checked = rainbow_checks.check(dict(file))
            return _time(peer, checked, frames, runs)


def _time(peer: PeerProcess, checked: str, frames: int, runs: int) -> Measurement:
    trainings = {str(number): OurTraining(number) for number in (1, SHIPPED_ENVS)}
    ours: dict[str, list[Spent]] = {name: [] for name in trainings}
    theirs: dict[str, list[Spent]] = {name: [] for name in (*map(str, NUMBERS), STOCK)}

    def of_peer() -> float:
        for name, spent in peer.run().items():
            theirs[name].append(Spent(**spent))
        return theirs[_ONE][-1].frames_per_second

    def of_ours() -> float:
        for name, training in trainings.items():
            ours[name].append(training.spend(frames))
        return ours[_ONE][-1].frames_per_second

    _LOG.info("timing")
    timing = in_turns(of_peer, of_ours, runs)
    per_second = multiply_adds_a_second()
    return Measurement(
        timing=timing,
        check=checked,
        size={"batch": rainbow_task.training().batch_size, "frames": frames, "observation": rainbow_task.SIZE},
        demands=(_at_best(ours, theirs),),
        findings=(
            *(_in_words(f"ours with {name}", of_runs) for name, of_runs in ours.items()),
            *(_in_words(f"tianshou with {name}", of_runs) for name, of_runs in theirs.items()),
            *_bound(ours, theirs, per_second),
        ),
        notes=_notes(peer.greeting),
        details={
            **peer.greeting,
            "multiply_adds_an_update": _multiply_adds(),
            "multiply_adds_a_second": per_second,
            "ours_by_n_envs": {name: _figures(of_runs) for name, of_runs in ours.items()},
            "peer_by_n_envs": {name: _figures(of_runs) for name, of_runs in theirs.items()},
        },
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch on one thread, as the peer's."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _at_best(ours: Spending, theirs: Spending) -> Demand:
    best = _best(theirs)
    times = _rate(ours[str(SHIPPED_ENVS)]) / _rate(theirs[best])
    of = ", ".join(map(str, NUMBERS))
    name = f"times tianshou's best number of environments ({best} out of {of}), ours with the shipped {SHIPPED_ENVS}"
    return Demand(name, times, _TARGET_AT_BEST, "", is_floor=True)


def _best(theirs: Spending) -> str:
    return max(map(str, NUMBERS), key=lambda name: _rate(theirs[name]))


def _rate(of_runs: Sequence[Spent]) -> float:
    return median(spent.frames_per_second for spent in of_runs)


def _figures(of_runs: Sequence[Spent]) -> dict[str, float]:
    """Over all runs; the rate is their median."""
    whole = Spent(*(sum(column) for column in zip(*of_runs, strict=True)))
    rest = whole.processor_seconds - whole.updating_processor_seconds
    return {
        "frames_per_second": _rate(of_runs),
        "processor_us_an_update": 1e6 * whole.updating_processor_seconds / whole.updates,
        "updates_share_of_time": whole.updating_seconds / whole.seconds,
        "processor_us_a_frame_besides": 1e6 * rest / whole.frames,
        "processor_us_a_frame": 1e6 * whole.processor_seconds / whole.frames,
        "frames_an_update": whole.frames / whole.updates,
        "frames_an_episode": whole.frames / max(whole.episodes, 1),
    }


def _in_words(who: str, of_runs: Sequence[Spent]) -> str:
    figures = _figures(of_runs)
    return (
        f"{who}: {figures['frames_per_second']:,.0f} frames/s, {figures['updates_share_of_time']:.0%} of the time in "
        f"updates; processor: {figures['processor_us_an_update']:,.0f} µs an update, "
        f"{figures['processor_us_a_frame_besides']:,.1f} µs a frame besides; "
        f"{figures['frames_an_episode']:.1f} frames an episode"
    )


def _multiply_adds() -> int:
    batch_size = rainbow_task.training().batch_size
    return multiply_adds(rainbow_task.model(), rainbow_task.SIZE, ACTIONS, batch_size)


def _bound(ours: Spending, theirs: Spending, per_second: float) -> tuple[str, ...]:
    """How near an update is to its products of matrices alone."""
    least_us, frames_per_update = 1e6 * _multiply_adds() / per_second, rainbow_task.training().frames_per_update
    reached = {
        who: least_us / _figures(of_runs)["processor_us_an_update"]
        for who, of_runs in (("ours", ours[str(SHIPPED_ENVS)]), ("tianshou", theirs[_best(theirs)]))
    }
    return (
        f"bound: an update is {_multiply_adds() / 1e6:.1f} million multiply-adds, {least_us:,.0f} µs at the "
        f"{per_second / 1e9:.1f} billion a second of one thread's large products, "
        f"{1e6 * frames_per_update / least_us:,.0f} frames/s if all else were free; "
        + ", ".join(f"{who} reaches {share:.0%} of it" for who, share in reached.items()),
    )


def _notes(versions: Mapping[str, Any]) -> tuple[str, ...]:
    training = rainbow_task.training()
    return (
        f"Torch computes on {versions['threads']} thread on both sides, and is the same build. Rates are medians of "
        f"turns of the same number of frames, after {training.learning_starts:,} frames and some updates.",
        "Equal: first weights, layers, atoms, double choice, noise of streams, returns over 3 steps, batch, frames an "
        "update, capacity and exponents of the replay, Adam and its numbers, target network's rhythm, cycles, rewards.",
        "Quicker than tianshou comes: its environment looks up observations that were computed before; Adam is fused; "
        "its trainer does not search the whole replay for NaN in each round. "
        f"'{STOCK}' is without the last two.",
        "tianshou acts without noise, asks for the next distribution one step after a transition's beginning even "
        "where the return sums three rewards, does not clip, takes the cross-entropy as priority, draws a batch "
        "without strata, and weighs by the least priority ever. Ours draws noise in each round, asks where the sum "
        "ends, clips, and takes the divergence. None of it makes an update of tianshou dearer.",
        "An episode's end costs tianshou more than ours; how long episodes are depends on what is learnt.",
    )


ROW = Row(unit="frames/s", is_higher_better=True, target_ratio=_TARGET_AT_ONE, measure=measure)
