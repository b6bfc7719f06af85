"""Named points at which a test may end the process, to prove that a retry recovers.

A point costs one dictionary look-up and does nothing unless a test arms it.
"""

from collections.abc import Callable
from typing import Literal

Point = Literal[
    "before_write", "before_rename", "after_rename", "before_tracking", "after_registration", "after_verdict"
]

_armed: dict[Point, Callable[[], None]] = {}


def arm(point: Point, action: Callable[[], None]) -> None:
    """Let `action` run when `point` is reached; for tests only."""
    _armed[point] = action


def disarm() -> None:
    """Forget every armed point."""
    _armed.clear()


def reach(point: Point) -> None:
    """Mark that the process has come to `point`."""
    if action := _armed.get(point):
        action()
