"""Whose a stall is: what a process had of the processors, what it waited for them, and what the host took (Linux).

A process that is ready and does not run waits in a run queue, behind other work of this machine; what the host gives to
other machines meanwhile is told as stolen. Neither is the doing of the process. Nor is what no counter tells: a
processor that runs slower for a while, because the host's core is shared or clocked down (`measure_steadiness`).
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from time import perf_counter, thread_time

_SLICE_SECONDS, _SLOW, _STEPS = 0.05, 1.3, 4000
_NS_PER_MS, _STOLEN = 1e6, 8  # the ninth word of /proc/stat's first line, the name among them


@dataclass(frozen=True)
class ProcessorUse:
    """What a process had since it began, or between two looks.

    Attributes
    ----------
    ran_ms : float
        Time on a processor, of all its threads.
    waited_ms : float
        Time in a run queue, of all its threads.
    preempted : int
        How often a thread was put off a processor that it would have gone on using.
    """

    ran_ms: float
    waited_ms: float
    preempted: int

    def since(self, before: "ProcessorUse") -> "ProcessorUse":
        """What came on top of `before`."""
        return ProcessorUse(
            self.ran_ms - before.ran_ms, self.waited_ms - before.waited_ms, self.preempted - before.preempted
        )


def processor_use(pid: int) -> ProcessorUse:
    """What the threads that a process has now had so far; nothing where the kernel does not tell."""
    ran = waited = 0.0
    preempted = 0
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):  # it has ended meanwhile
            words = (thread / "schedstat").read_text().split()
            ran, waited = ran + int(words[0]) / _NS_PER_MS, waited + int(words[1]) / _NS_PER_MS
            preempted += _preempted((thread / "status").read_text())
    return ProcessorUse(ran, waited, preempted)


def _preempted(status: str) -> int:
    (line,) = (line for line in status.splitlines() if line.startswith("nonvoluntary_ctxt_switches:"))
    return int(line.split()[1])


def stolen_ms(stat: Path = Path("/proc/stat")) -> float:
    """Time that the host gave to others while a processor of this machine had work, summed over the processors."""
    with stat.open() as lines:
        words = lines.readline().split()
    return int(words[_STOLEN]) * 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Steadiness:
    """How evenly a processor runs: times of equal work, each slice of 50 ms beside the median slice.

    Only time on the processor counts, so that run queues and stolen time are not in it.

    Attributes
    ----------
    slowest : float
        Time of the slowest slice in medians; 1 is as fast as ever.
    slow_share : float
        Share of slices that took 1.3 medians or more.
    """

    slowest: float
    slow_share: float


def measure_steadiness(seconds: float) -> Steadiness:
    """Do equal work for so long, and tell how evenly it went."""
    times: dict[int, list[float]] = {}
    started = perf_counter()
    while (elapsed := perf_counter() - started) < seconds:
        before = thread_time()
        _work()
        times.setdefault(int(elapsed / _SLICE_SECONDS), []).append(thread_time() - before)
    return steadiness_of([fmean(of_slice) for of_slice in times.values()])


def steadiness_of(slices: list[float]) -> Steadiness:
    """The figures of the mean times of slices."""
    middle = median(slices)
    slow = sum(time >= _SLOW * middle for time in slices) / len(slices)
    return Steadiness(max(slices) / middle, slow)


def _work() -> None:
    """Half a millisecond of what a server in Python does: make small objects, and keep them in a dictionary."""
    kept: dict[int, tuple[int, str]] = {}
    for number in range(_STEPS):
        kept[number & 255] = number, str(number)
