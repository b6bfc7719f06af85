"""Requests that wait together are computed together, and none waits for company that is not there.

What arrives in one turn of the event loop is one batch: it is computed in the next turn. While a large batch is
computed in its thread, the next one gathers. A batch never mixes models: a request is computed by the model that
it was read for, also when another one has taken its place since.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from MLOps.settings.serving import BatchSettings

FloatArray = npt.NDArray[np.float32]


class Computes(Protocol):
    """A model that computes batches; called from one thread at a time."""

    def q_values(self, observations: FloatArray) -> FloatArray:
        """Value of holding and of buying (B, 2) float32, for observations (B, D) float32."""


class QueueFullError(Exception):
    """More observations wait than are allowed to."""


class MicroBatcher:
    """Gathers what waits and computes it.

    Parameters
    ----------
    settings : BatchSettings
        Sizes and times.
    max_waiting_rows : int
        Most observations that wait.
    observe : callable
        ``observe(requests, rows)`` is told of each batch.
    """

    def __init__(
        self, settings: BatchSettings, max_waiting_rows: int, observe: Callable[[int, int], None] = lambda *_: None
    ) -> None:
        self._settings, self._max_waiting_rows, self._observe = settings, max_waiting_rows, observe
        self._waiting: deque[_Item] = deque()
        self._waiting_rows = 0
        self._timer: asyncio.Handle | None = None
        self._is_busy = False
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch")

    @property
    def waiting_rows(self) -> int:
        """Observations that wait."""
        return self._waiting_rows

    def submit(self, model: Computes, observations: FloatArray) -> "asyncio.Future[FloatArray]":
        """Let `model` compute `observations` (B, D); the future gives the q values (B, 2) float32.

        Raises
        ------
        QueueFullError
            If too many wait already. A request comes through where none waits, however large it is.
        """
        if self._waiting and self._waiting_rows + len(observations) > self._max_waiting_rows:
            raise QueueFullError
        loop = asyncio.get_running_loop()
        item = _Item(model, observations, loop.create_future(), loop.time())
        self._waiting.append(item)
        self._waiting_rows += len(observations)
        if self._timer is None and not self._is_busy:
            self._timer = loop.call_soon(self._look)
        return item.future

    def close(self) -> None:
        """End the thread; what it computes is let end."""
        self._executor.shutdown()

    def _look(self) -> None:
        """Compute a batch, or wait a little for more."""
        self._timer = None
        loop = asyncio.get_running_loop()
        if (due := self._due()) > loop.time():
            self._timer = loop.call_at(due, self._look)
            return
        if batch := self._take():
            self._start(batch)
        if self._waiting and not self._is_busy and self._timer is None:
            self._timer = loop.call_soon(self._look)

    def _due(self) -> float:
        """When the next batch is to be computed, by the loop's clock."""
        is_alone, is_full = len(self._waiting) < 2, self._waiting_rows >= self._settings.max_rows
        if not self._settings.gather_ms or is_alone or is_full:
            return 0.0
        return self._waiting[0].came_at + self._settings.gather_ms / 1000

    def _take(self) -> "list[_Item]":
        """The oldest requests of one model, up to the limit, without those that nobody waits for any more."""
        batch: list[_Item] = []
        rows = 0
        while self._waiting:
            item = self._waiting[0]
            if batch and (item.model is not batch[0].model or rows + item.rows > self._settings.max_rows):
                break
            self._waiting.popleft()
            self._waiting_rows -= item.rows
            if not item.future.done():
                batch.append(item)
                rows += item.rows
        return batch

    def _start(self, batch: "Sequence[_Item]") -> None:
        rows = sum(item.rows for item in batch)
        self._observe(len(batch), rows)
        if rows <= self._settings.inline_rows:
            _answer(batch, _compute(batch))
            return
        self._is_busy = True
        loop = asyncio.get_running_loop()
        computing = loop.run_in_executor(self._executor, _compute, batch)
        computing.add_done_callback(lambda done: self._end(batch, done.result()))

    def _end(self, batch: "Sequence[_Item]", result: "FloatArray | Exception") -> None:
        self._is_busy = False
        _answer(batch, result)
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_soon(self._look)


class _Item(NamedTuple):
    """A request that waits."""

    model: Computes
    observations: FloatArray
    future: "asyncio.Future[FloatArray]"
    came_at: float

    @property
    def rows(self) -> int:
        return len(self.observations)


def _compute(batch: Sequence[_Item]) -> "FloatArray | Exception":
    """The q values of all rows; an error is given back, for each request of the batch to raise."""
    parts = [item.observations for item in batch]
    try:
        return batch[0].model.q_values(parts[0] if len(parts) == 1 else np.concatenate(parts))
    except Exception as error:  # noqa: BLE001 - it is raised again, where the requests wait
        return error


def _answer(batch: Sequence[_Item], result: "FloatArray | Exception") -> None:
    first = 0
    for item in batch:
        last = first + item.rows
        if not item.future.done():
            if isinstance(result, Exception):
                item.future.set_exception(result)
            else:
                item.future.set_result(result[first:last])
        first = last
