"""The generator of requests: it counts what is answered, cuts answers as they come, and keeps its pace."""

import asyncio
import os
import sys
from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")


Answers = Callable[[int], HTTPStatus]


def served(
    load: dict[str, Any], status_of: Answers, *, pieces: int = 1, holds: int | None = None, forgets: int | None = None
) -> tuple[Any, list[bytes]]:
    """What a load saw of a server that answers its requests so, in so many pieces; and what it was sent.

    The request of number `holds` is held until nothing more is asked for, which a generator at its end does not;
    that of number `forgets` has no answer.
    """
    import http_load

    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                asked.append(await reader.readexactly(length))
                number = len(asked)
                while holds == number and (present := len(asked)):
                    await asyncio.sleep(0.1)  # what is sent meanwhile comes in meanwhile
                    if len(asked) == present:
                        break
                if number == forgets:
                    continue
                status = status_of(number)
                text = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 2\r\n\r\nok".encode()
                for start in range(0, len(text), -(-len(text) // pieces)):
                    writer.write(text[start : start - (-len(text) // pieces)])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def work() -> Any:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            given = {
                "path": "/predict",
                "bodies": ("a", "bb"),
                "connections": 3,
                "seconds": 0.2,
                "warm_up_seconds": 0.05,
            }
            return await asyncio.to_thread(http_load._send, http_load.Load(port=port, **given | load))

    return asyncio.run(work()), asked


@pytest.mark.parametrize("pieces", [1, 3])
def test_answers_are_counted_however_they_come(pieces: int) -> None:
    seen, asked = served({}, lambda _: HTTPStatus.OK, pieces=pieces)
    assert seen.errors == 0
    assert 0 < seen.requests <= len(asked)
    assert set(asked) == {b"a", b"bb"}
    assert 0 < seen.p50_ms <= seen.p99_ms <= seen.max_ms


def test_other_statuses_are_errors() -> None:
    seen, asked = served({}, lambda number: HTTPStatus.SERVICE_UNAVAILABLE if number % 2 else HTTPStatus.OK)
    assert seen.errors > 0
    assert seen.requests > 0
    assert seen.errors + seen.requests <= len(asked)


def test_pace_sends_no_more_than_is_due() -> None:
    seen, asked = served({"per_second": 100.0}, lambda _: HTTPStatus.OK)
    assert seen.requests > 0
    assert len(asked) <= 100 * (0.2 + 0.05) + 1


def test_answer_that_comes_after_the_end_counts_with_all_its_time() -> None:
    """One that was left out because it is the slowest would make every figure better than it is."""
    load = {"per_second": 100.0, "warm_up_seconds": 0.0, "seconds": 0.3}
    seen, asked = served(load, lambda _: HTTPStatus.OK, holds=25)
    assert (seen.requests, seen.errors) == (len(asked), 0)
    assert seen.max_ms > 50


def test_request_without_an_answer_is_an_error() -> None:
    load = {"per_second": 100.0, "warm_up_seconds": 0.0, "patience_seconds": 0.5}
    seen, asked = served(load, lambda _: HTTPStatus.OK, forgets=15)
    assert (seen.requests, seen.errors) == (len(asked) - 1, 1)


def test_stall_of_the_generator_is_told_as_its_own_and_stays_in_the_times(monkeypatch: pytest.MonkeyPatch) -> None:
    import http_load

    clock, looks, behind = http_load.perf_counter, count(), 0.0

    def stalled() -> float:
        nonlocal behind
        if next(looks) == 200:
            behind = 0.04
        return clock() + behind

    monkeypatch.setattr(http_load, "perf_counter", stalled)
    seen, _ = served({"per_second": 1000.0, "warm_up_seconds": 0.0}, lambda _: HTTPStatus.OK)
    assert min(seen.late_max_ms, seen.stall_ms) >= 35
    assert seen.max_ms >= seen.late_max_ms


def test_use_of_the_processors_is_told_of_both() -> None:
    seen, _ = served({"server_pid": os.getpid()}, lambda _: HTTPStatus.OK)
    assert seen.server.ran_ms > 0
    assert seen.generator.ran_ms > 0
    assert seen.stolen_ms >= 0


def test_stolen_time_is_read_where_the_kernel_writes_it(tmp_path: Path) -> None:
    import processor_use

    stat = tmp_path / "stat"
    stat.write_text("cpu  1 2 3 4 5 6 7 80 9 10\ncpu0 1 2 3 4 5 6 7 80 9 10\n")
    assert processor_use.stolen_ms(stat) == 80 * 1000 / os.sysconf("SC_CLK_TCK")


def test_slices_that_are_slower_than_the_median_are_told() -> None:
    import processor_use

    assert processor_use.steadiness_of([1.0, 1.0, 1.0, 1.2, 1.3]) == processor_use.Steadiness(1.3, 0.2)
    assert processor_use.steadiness_of([1.0, 1.0, 2.0, 2.0, 2.0]) == processor_use.Steadiness(1.0, 0.0)


def test_answer_without_a_length_is_no_answer() -> None:
    import http_load

    whole = bytearray(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more")
    assert http_load._end_of_answer(whole) == whole.index(b"ok") + 2
    assert http_load._end_of_answer(whole[:-11]) == 0
    assert http_load._end_of_answer(whole[:20]) == 0
    with pytest.raises(RuntimeError, match="without Content-Length"):
        http_load._end_of_answer(bytearray(b"HTTP/1.1 200 OK\r\n\r\nok"))


def test_server_that_does_not_start_is_told_and_leaves_nothing() -> None:
    import timing_servers

    starting = timing_servers._running(
        [sys.executable, "-c", "raise SystemExit(3)"], timing_servers.free_port(), "/", {}
    )
    with pytest.raises(RuntimeError, match="a server did not start"), starting:
        pytest.fail("it never starts")
