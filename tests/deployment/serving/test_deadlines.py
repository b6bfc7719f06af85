"""A shared time limit ends what is over it and nothing else, as `asyncio.timeout` does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from deployment.serving.deadlines import Deadlines

T = TypeVar("T")


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with asyncio.timeout(30):
            return await work()

    return asyncio.run(inside())


async def never() -> None:
    await asyncio.Event().wait()


def test_what_is_over_its_time_is_ended_however_many_were_in_time() -> None:
    deadlines = Deadlines(0.01)

    async def one(*, hangs: bool) -> str:
        try:
            with deadlines.begin():
                await (never() if hangs else asyncio.sleep(0))
        except TimeoutError:
            return "late"
        return "in time"

    async def work() -> list[str]:
        return [
            *await asyncio.gather(*(one(hangs=number % 3 == 0) for number in range(9))),
            await one(hangs=False),
            await one(hangs=True),
        ]

    assert run(work) == ["late", "in time", "in time"] * 3 + ["in time", "late"]


def test_task_whose_time_is_over_goes_on_behind_the_limit() -> None:
    deadlines = Deadlines(0.0)

    async def work() -> int:
        with pytest.raises(TimeoutError), deadlines.begin():
            await never()
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert run(work) == 0


def test_cancellation_of_somebody_else_stays_one() -> None:
    deadlines = Deadlines(30)

    async def held() -> None:
        with deadlines.begin():
            await never()

    async def work() -> None:
        task = asyncio.create_task(held())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work)


def test_error_comes_through() -> None:
    async def work() -> None:
        with Deadlines(30).begin():
            raise KeyError

    with pytest.raises(KeyError):
        run(work)


def test_cancellation_beside_ours_stays_one() -> None:
    """Both come before the task goes on: time was over, and somebody wants it to end."""
    deadlines = Deadlines(30)

    async def held() -> None:
        with deadlines.begin():
            await never()

    async def work() -> None:
        task = asyncio.create_task(held())
        await asyncio.sleep(0)
        next(iter(deadlines._running)).expire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work)


def test_what_has_ended_is_not_kept_behind_one_that_has_not() -> None:
    deadlines = Deadlines(30)

    async def held() -> None:
        with deadlines.begin():
            await never()

    async def work() -> int:
        slow = asyncio.create_task(held())
        await asyncio.sleep(0)
        for _ in range(1000):
            with deadlines.begin():
                pass
        kept = len(deadlines._running)
        slow.cancel()
        return kept

    assert run(work) == 1
