"""What waits together is computed together, each request gets its own rows, and none waits for nobody."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.serving.micro_batcher import MicroBatcher, QueueFullError
from MLOps.settings.serving import BatchSettings

FloatArray = npt.NDArray[np.float32]
T = TypeVar("T")


@dataclass
class Model:
    """Gives an observation's first number, and its own; remembers the rows of each batch."""

    mark: float = 0.0
    batches: list[int] = field(default_factory=list)
    gate: threading.Event | None = None
    began: threading.Event = field(default_factory=threading.Event)

    def q_values(self, observations: FloatArray) -> FloatArray:
        self.batches.append(len(observations))
        self.began.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        return np.stack([observations[:, 0], np.full(len(observations), self.mark)], axis=1).astype(np.float32)


def rows(count: int, first: float = 0.0) -> FloatArray:
    return (first + np.arange(count, dtype=np.float32))[:, None].repeat(3, axis=1)


Maker = Callable[..., MicroBatcher]


@pytest.fixture
def make_batcher() -> Iterator[Maker]:
    made: list[MicroBatcher] = []

    def make(max_rows: int = 8, gather_ms: float = 0.0, inline_rows: int = 64, waiting: int = 100) -> MicroBatcher:
        settings = BatchSettings(max_rows=max_rows, gather_ms=gather_ms, inline_rows=inline_rows)
        made.append(MicroBatcher(settings, waiting))
        return made[-1]

    yield make
    for batcher in made:
        batcher.close()


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with asyncio.timeout(30):
            return await work()

    return asyncio.run(inside())


def test_requests_of_one_turn_are_one_batch(make_batcher: Maker) -> None:
    model, batcher = Model(), make_batcher()

    async def work() -> list[FloatArray]:
        return await asyncio.gather(*(batcher.submit(model, rows(2, 10.0 * n)) for n in range(3)))

    answers = run(work)
    assert model.batches == [6]
    assert [answer[:, 0].tolist() for answer in answers] == [[0, 1], [10, 11], [20, 21]]


def test_batch_stops_at_its_limit_and_the_rest_follows(make_batcher: Maker) -> None:
    model, batcher = Model(), make_batcher(max_rows=4)
    run(lambda: asyncio.gather(*(batcher.submit(model, rows(count)) for count in (3, 2, 1, 9, 1))))
    assert model.batches == [3, 3, 9, 1]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30), st.integers(1, 25), st.sampled_from([0, 5, 64]))
def test_each_request_gets_its_own_rows(counts: list[int], max_rows: int, inline_rows: int) -> None:
    batcher = MicroBatcher(BatchSettings(max_rows=max_rows, gather_ms=0, inline_rows=inline_rows), 10_000)
    models = [Model(1.0), Model(2.0)]

    async def work() -> list[FloatArray]:
        futures = [batcher.submit(models[n % 3 == 0], rows(count, 100.0 * n)) for n, count in enumerate(counts)]
        return await asyncio.gather(*futures)

    try:
        answers = run(work)
    finally:
        batcher.close()
    for n, (count, answer) in enumerate(zip(counts, answers, strict=True)):
        np.testing.assert_array_equal(answer[:, 0], rows(count, 100.0 * n)[:, 0])
        assert set(answer[:, 1].tolist()) == {2.0 if n % 3 == 0 else 1.0}
    assert sum(map(sum, (model.batches for model in models))) == sum(counts)
    assert batcher.waiting_rows == 0


def test_lone_request_does_not_wait_for_company(make_batcher: Maker) -> None:
    model, batcher = Model(), make_batcher(gather_ms=100)

    async def work() -> int:
        future = batcher.submit(model, rows(1))
        turns = 0
        while not future.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert run(work) <= 2


def test_two_that_wait_are_joined_by_what_comes_in_time(make_batcher: Maker) -> None:
    model, batcher = Model(), make_batcher(max_rows=3, gather_ms=100)

    async def work() -> None:
        futures = [batcher.submit(model, rows(1)) for _ in range(2)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert model.batches == []
        futures.append(batcher.submit(model, rows(1)))  # full: nothing is left to wait for
        await asyncio.gather(*futures)

    run(work)
    assert model.batches == [3]


def test_large_batch_leaves_the_loop_free_and_the_next_one_gathers_meanwhile(make_batcher: Maker) -> None:
    model, batcher = Model(gate=threading.Event()), make_batcher(inline_rows=0)
    assert model.gate is not None
    gate = model.gate

    async def work() -> None:
        first = batcher.submit(model, rows(1))
        await asyncio.to_thread(model.began.wait, 30)
        others = [batcher.submit(model, rows(1)) for _ in range(3)]
        assert batcher.waiting_rows == 3
        gate.set()
        await asyncio.gather(first, *others)

    run(work)
    assert model.batches == [1, 3]


def test_request_that_nobody_waits_for_is_not_computed(make_batcher: Maker) -> None:
    model, batcher = Model(), make_batcher()

    async def work() -> None:
        given_up, kept = batcher.submit(model, rows(5)), batcher.submit(model, rows(1))
        given_up.cancel()
        await kept

    run(work)
    assert model.batches == [1]
    assert batcher.waiting_rows == 0


def test_error_reaches_every_request_of_its_batch_and_the_next_one_goes_on(make_batcher: Maker) -> None:
    class Broken(Model):
        def q_values(self, observations: FloatArray) -> FloatArray:
            raise RuntimeError(f"{len(observations)} rows")

    batcher = make_batcher()

    async def work() -> list[FloatArray | BaseException]:
        failed = [batcher.submit(Broken(), rows(1)), batcher.submit(Model(), rows(1))]
        return await asyncio.gather(*failed, return_exceptions=True)

    broken, sound = run(work)
    assert isinstance(broken, RuntimeError)
    assert not isinstance(sound, BaseException)


def test_full_queue_refuses_and_takes_again_once_it_is_empty(make_batcher: Maker) -> None:
    model, batcher = Model(), make_batcher(waiting=4)

    async def work() -> None:
        first = batcher.submit(model, rows(6))  # alone, however large
        with pytest.raises(QueueFullError):
            batcher.submit(model, rows(1))
        await first
        await batcher.submit(model, rows(1))

    run(work)
    assert model.batches == [6, 1]
