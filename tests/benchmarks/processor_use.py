"""Whose a stall is: what a process had of the processors, what it waited for them, and what the host took (Linux).

A process that is ready and does not run waits in a run queue, behind other work of this machine; what the host gives to
other machines meanwhile is told as stolen. Neither is the doing of the process.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

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
