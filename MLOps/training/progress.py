"""How far a long training is: a bar for a person, a line now and then for a log."""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Counts timesteps, or what else a long task goes by.

    Parameters
    ----------
    total : int
        Timesteps of the whole task.
    show_bar : bool
        Draw a bar if standard error is a terminal; else log a line every 15 seconds.
    clock : callable
        Seconds, monotonic.
    unit : str
        What is counted, in the plural.
    shown : tuple of str
        Figures that are shown beside the count.
    task : str
        What the bar and the lines call it.
    """

    def __init__(
        self,
        total: int,
        *,
        show_bar: bool,
        clock: Callable[[], float] = time.monotonic,
        unit: str = "timesteps",
        shown: tuple[str, ...] = ("episode_reward",),
        task: str = "training",
    ) -> None:
        self._total, self._clock, self._unit, self._shown = total, clock, unit, shown
        self._task, self._done, self._started_at = task, 0, 0
        self._started = self._last_line = clock()
        self._figures: Mapping[str, float] = {}
        self._bar = _make_bar(total, task) if show_bar and sys.stderr.isatty() else None

    def start_at(self, timesteps: int) -> None:
        """Count from here on, after a resume."""
        self._done = self._started_at = timesteps
        if self._bar is not None:
            self._bar.update(timesteps)

    def reach(self, timesteps: int) -> None:
        """`timesteps` are done."""
        if self._bar is not None:
            self._bar.update(timesteps - self._done)
        self._done = timesteps
        if self._bar is None and self._clock() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._log_line()

    def show(self, figures: Mapping[str, float]) -> None:
        """Figures to show beside the count."""
        self._figures = {**self._figures, **{name: figures[name] for name in self._shown if name in figures}}
        if self._bar is not None:
            self._bar.set_postfix(self._figures, refresh=False)

    def close(self) -> None:
        """End the bar, or log the last line."""
        if self._bar is not None:
            self._bar.close()
        else:
            self._log_line()

    def _log_line(self) -> None:
        self._last_line = self._clock()
        speed = (self._done - self._started_at) / max(self._last_line - self._started, 1e-9)
        shown = "".join(f", {name} {value:.4g}" for name, value in self._figures.items())
        rate = f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
        _LOG.info("%s: %d of %d %s, %s a second%s", self._task, self._done, self._total, self._unit, rate, shown)


def _make_bar(total: int, task: str) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, unit="step", desc=task, dynamic_ncols=True, file=sys.stderr)
