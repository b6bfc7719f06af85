"""One time limit for many requests: as `asyncio.timeout`, for a tenth of its cost.

All have the same time, so the oldest is due first: one timer of the loop, set for the oldest, does for all, where
`asyncio.timeout` makes and cancels one a request. What has ended is forgotten at once.
"""

import asyncio
from types import TracebackType


class Deadlines:
    """Limits of `seconds` each, all in one event loop.

    ``with deadlines.begin(): ...`` inside a task raises TimeoutError once they are over.

    Parameters
    ----------
    seconds : float
        From the beginning of each.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[_Deadline, None] = {}  # in the order of their beginning, which is that of their end
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> "_Deadline":
        """A limit that begins now, for the present task."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        deadline = _Deadline(task, loop.time() + self._seconds, self._running)
        self._running[deadline] = None
        if self._timer is None:
            self._timer = loop.call_at(deadline.at, self._look, loop)
        return deadline

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """End those whose time is over, and look again when the next one's is."""
        self._timer = None
        now = loop.time()
        while (oldest := next(iter(self._running), None)) is not None:
            if oldest.at > now:
                self._timer = loop.call_at(oldest.at, self._look, loop)
                return
            oldest.expire()


class _Deadline:
    """One limit; a context manager of the task that it was begun in."""

    __slots__ = ("_cancelling", "_has_expired", "_running", "_task", "at")

    def __init__(self, task: "asyncio.Task[object]", at: float, running: "dict[_Deadline, None]") -> None:
        self._task, self._cancelling, self.at, self._running = task, task.cancelling(), at, running
        self._has_expired = False

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._running.pop(self, None)
        # A cancellation of somebody else's, which may come beside ours, stays one.
        if self._has_expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel what the limit holds."""
        del self._running[self]
        self._has_expired = True
        self._task.cancel()
