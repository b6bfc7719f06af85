"""Where the time of a training goes: frames, and the updates among them."""

from collections.abc import Callable
from time import perf_counter, process_time
from typing import NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Spent(NamedTuple):
    """What a stretch of training took; processor time is that of all threads."""

    frames: int
    episodes: int
    updates: int
    seconds: float
    processor_seconds: float
    updating_seconds: float
    updating_processor_seconds: float

    @property
    def frames_per_second(self) -> float:
        """End to end."""
        return self.frames / self.seconds


class UpdateClock:
    """Counts and times the calls of one function."""

    def __init__(self) -> None:
        self._calls: list[tuple[float, float]] = []

    def around(self, update: Callable[P, T]) -> Callable[P, T]:
        """The function, timed."""

        def timed(*args: P.args, **kwargs: P.kwargs) -> T:
            start, processor_start = perf_counter(), process_time()
            told = update(*args, **kwargs)
            self._calls.append((perf_counter() - start, process_time() - processor_start))
            return told

        return timed

    def spent(self, train: Callable[[], tuple[int, int]]) -> Spent:
        """Train, which gives the frames and the episodes that it played."""
        self._calls.clear()
        start, processor_start = perf_counter(), process_time()
        frames, episodes = train()
        took = perf_counter() - start, process_time() - processor_start
        return Spent(frames, episodes, len(self._calls), *took, *map(sum, zip(*self._calls, strict=True)))
