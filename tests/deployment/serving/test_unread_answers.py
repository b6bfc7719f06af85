"""Whoever leaves an answer unread is let go, quietly; whoever reads it gets it whole."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from deployment.serving.bounded_heads import BoundedHeads
from deployment.serving.unread_answers import end_unread
from MLOps.settings.compose import compose_settings
from MLOps.settings.serving import ServeCryptoModelSettings

ANSWER = b"x" * 16_000_000  # more than the kernel keeps for a connection
SCRIPT = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: a\r\n\r\n"
Client = Callable[[asyncio.StreamReader], Awaitable[Any]]


async def never(_reader: asyncio.StreamReader) -> None:
    await asyncio.Event().wait()


async def by_the_byte(reader: asyncio.StreamReader) -> None:
    while await reader.read(1):
        await asyncio.sleep(0)


async def whole(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    return len(head) and len(await reader.readexactly(len(ANSWER)))


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(ANSWER))]})
    await send({"type": "http.response.body", "body": ANSWER})


def ends_with(client: Client, *, kernel_seconds: float | None, protocol_seconds: float) -> Any:
    """What `client` gave, or None where the server ended the connection first; it asks thrice, in one packet."""
    limits = compose_settings(ServeCryptoModelSettings, "serve_crypto_model").serving.limits
    limits = limits.model_copy(update={"unread_seconds": protocol_seconds})

    async def work() -> Any:
        state, loop = ServerState(), asyncio.get_running_loop()
        config = uvicorn.Config(answer, ws="none", log_config=None)
        config.load()
        with socket.socket() as door, socket.socket() as asker:
            door.bind(("127.0.0.1", 0))
            if kernel_seconds is not None:
                end_unread(door, kernel_seconds)
            server = await loop.create_server(
                lambda: BoundedHeads(limits, [].append, config=config, server_state=state, app_state={}), sock=door
            )
            asker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            asker.connect(door.getsockname())
            reader, writer = await asyncio.open_connection(sock=asker, limit=1024)
            writer.write(SCRIPT * 3)
            reading = asyncio.ensure_future(client(reader))
            while not state.tasks and not reading.done():
                await asyncio.sleep(0)
            while (state.tasks or state.connections) and not reading.done():
                await asyncio.sleep(0)
            told = reading.result() if reading.done() and not reading.exception() else None
            reading.cancel()
            with suppress(ConnectionError, asyncio.CancelledError):
                await reading
            writer.transport.abort()
            while state.tasks or state.connections:
                await asyncio.sleep(0)
            server.close()
            return told

    async def bounded() -> Any:
        async with asyncio.timeout(60):
            return await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(bounded())


@pytest.mark.parametrize("client", [never, by_the_byte])
def test_who_does_not_take_an_answer_in_time_is_let_go_without_a_word(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert ends_with(client, kernel_seconds=None, protocol_seconds=0.2) is None
    assert caplog.records == []


def test_kernel_lets_go_who_takes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert ends_with(never, kernel_seconds=1, protocol_seconds=300) is None
    assert caplog.records == []


def test_who_reads_gets_the_answer_whole() -> None:
    assert ends_with(whole, kernel_seconds=30, protocol_seconds=30) == len(ANSWER)


@pytest.mark.services
def test_server_that_ends_lets_go_who_does_not_read(start: Callable[..., Any], model_folder: Path) -> None:
    times = ("serving.drain_seconds=1", "serving.drain_linger_seconds=0", "serving.limits.unread_seconds=300")
    server = start("--model_path", str(model_folder), *times)
    server.wait_for("http://127.0.0.1")
    with socket.socket() as asker:
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asker.connect(("127.0.0.1", server.port))
        asker.sendall(SCRIPT * 20)
        assert asker.recv(9) == b"HTTP/1.1 "
        server.process.terminate()
        out, said = server.process.communicate(timeout=60)
    assert server.process.returncode == 0
    assert '"ended_by": "SIGTERM"' in out
    assert "Traceback" not in said
