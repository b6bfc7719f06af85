"""The generator of requests: it counts what is answered, cuts answers as they come, and keeps its pace."""

import asyncio
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")


Answers = Callable[[int], HTTPStatus]


def served(load: dict[str, Any], status_of: Answers, *, pieces: int = 1) -> tuple[Any, list[bytes]]:
    """What a load saw of a server that answers its requests so, in so many pieces; and what it was sent."""
    import http_load

    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                asked.append(await reader.readexactly(length))
                status = status_of(len(asked))
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
            return await http_load._send(http_load.Load(port=port, **given | load))

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
