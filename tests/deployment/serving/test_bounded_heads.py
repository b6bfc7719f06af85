"""Heads are bounded in bytes and in time, and a wish for another protocol is passed over.

Raw bytes against a server of this process.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from deployment.serving.bounded_heads import BoundedHeads
from MLOps.settings.compose import compose_settings
from MLOps.settings.serving import ServeCryptoModelSettings

Work = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]
KIB = 1024


async def tell_length(_scope: Any, receive: Any, send: Any) -> None:
    """An application that answers with the length of the body."""
    length, has_more = 0, True
    while has_more:
        message = await receive()
        length, has_more = length + len(message.get("body", b"")), message.get("more_body", False)
    told = b"%d" % length
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


async def answer_at_once(_scope: Any, _receive: Any, send: Any) -> None:
    """An application that reads no body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def talk(work: Work, *overrides: str, app: Any, counted: list[int] | None = None) -> Any:
    """What `work` gives over one connection to `app`; `counted` gets the refusals that are told."""
    count = [] if counted is None else counted
    limits = compose_settings(ServeCryptoModelSettings, "serve_crypto_model", overrides).serving.limits

    async def inside() -> Any:
        state = ServerState()
        config = uvicorn.Config(app, ws="none", log_config=None)
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: BoundedHeads(limits, count.append, config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            async with asyncio.timeout(30):
                return await work(reader, writer)
        finally:
            writer.close()
            server.close()

    return asyncio.run(inside())


def sent(data: bytes, *overrides: str, app: Any = tell_length, counted: list[int] | None = None) -> bytes:
    """All that comes back for `data`, until the server closes (or cuts it off)."""

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(data)
        parts = []
        with suppress(ConnectionResetError):
            while part := await reader.read(64 * KIB):
                parts.append(part)
        return b"".join(parts)

    found: bytes = talk(work, *overrides, app=app, counted=counted)
    return found


def request(length: int, *lines: str, body: bytes = b"") -> bytes:
    """A request with a head of `length` bytes, after whose answer the connection is closed."""
    head = "\r\n".join(["POST / HTTP/1.1", "Host: x", "Connection: close", *lines, "X: "]).encode()
    return head + b"x" * (length - len(head) - 4) + b"\r\n\r\n" + body


def refusal(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)["reason"]


@pytest.mark.parametrize("beyond", [-1, 0])
def test_head_up_to_the_bound_is_taken_and_its_body_may_be_longer(beyond: int) -> None:
    data = request(32 * KIB + beyond, f"Content-Length: {200 * KIB}", body=b"b" * 200 * KIB)
    assert sent(data).endswith(b"\r\n\r\n%d" % (200 * KIB))


@pytest.mark.parametrize(
    "data",
    [
        request(32 * KIB + 1),
        b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 50_000,
        b"GET / HTTP/1.1\r\na: " + b"x" * 200 * KIB,
        b"GET / HTTP/1.1\r\n" + b"x" * 200 * KIB,
        b"GET /" + b"x" * 200 * KIB,
        b"\r\n" * 50_000,
    ],
    ids=["one byte more", "many headers", "long value", "long name", "long path", "blank lines"],
)
def test_longer_head_is_431_and_closes(data: bytes) -> None:
    assert refusal(sent(data)) == (431, "the head is longer than 32 KiB")


def test_head_in_many_packets_is_held_to_the_same_bound() -> None:
    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\n")
        reading = asyncio.create_task(reader.read())
        while not reading.done():
            writer.write(b"a: b\r\n" * 20)
            await asyncio.sleep(0)
        return await reading

    answer = talk(work, "serving.limits.max_head_kib=1", app=tell_length)
    assert refusal(answer) == (431, "the head is longer than 1 KiB")


@pytest.mark.parametrize("endless", [b"a:\r\n" * 1000, b"a: " + b"x" * 4 * KIB])
def test_trailers_are_held_to_the_same_bound(endless: bytes) -> None:
    data = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n" + endless * 50
    assert sent(data) == b""


def test_requests_one_after_another_each_have_the_whole_bound() -> None:
    one = b"GET / HTTP/1.1\r\nX: " + b"x" * 20 * KIB + b"\r\n\r\n"
    assert sent(one * 4 + request(20 * KIB)).count(b"HTTP/1.1 200") == 5


def test_more_requests_at_once_than_may_wait_are_cut_off() -> None:
    one = b"GET / HTTP/1.1\r\n\r\n"
    assert sent(one * 100 + request(100)).count(b"HTTP/1.1 200") == 101
    assert sent(one * 10_000).count(b"HTTP/1.1 200") == 0


@pytest.mark.parametrize(
    "data",
    [
        b"CONNECT x:443 HTTP/1.1\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n:\r\n\r\n",
        b"\x16\x03\x01",
    ],
)
def test_head_that_is_none_is_400(data: bytes) -> None:
    assert sent(data).startswith(b"HTTP/1.1 400")


def test_head_that_never_ends_is_408_and_closes() -> None:
    answer = sent(b"GET / HTTP/1.1\r\nHost:", "serving.limits.head_seconds=0.05")
    assert refusal(answer) == (408, "the head did not come within 0.05 s")


def test_connection_that_says_nothing_is_closed_without_a_word() -> None:
    assert sent(b"", "serving.limits.head_seconds=0.05") == b""


@pytest.mark.parametrize("more", [b"\r\n", b"GET / HT"])
def test_second_head_has_its_clock_too(more: bytes) -> None:
    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n0")
        writer.write(more)
        return await reader.read()

    assert refusal(talk(work, "serving.limits.head_seconds=0.05", app=tell_length))[0] == 408


def test_body_that_nobody_waits_for_has_its_clock_too() -> None:
    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"b")
        return await reader.read()

    assert talk(work, "serving.limits.head_seconds=0.05", app=answer_at_once) == b""


TRAILERS = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n" + b"a:\r\n" * 50_000


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (request(100), []),
        (b"", []),
        (request(32 * KIB + 1), [431]),
        (TRAILERS, [431]),
        (b"GET / HTTP/1.1\r\nHost:", [408]),
        (b"\x16\x03\x01", [400]),
        (request(100, "Transfer-Encoding: chunked", body=b"no length\r\n"), [400]),
        (b"GET / HTTP/1.1\r\n\r\n" * 10_000, [400]),
    ],
    ids=["sound", "silent", "long head", "long trailers", "slow head", "no HTTP", "broken body", "too many at once"],
)
def test_what_is_refused_before_it_is_a_request_is_counted_once(data: bytes, statuses: list[int]) -> None:
    counted: list[int] = []
    sent(data, "serving.limits.head_seconds=0.05", counted=counted)
    assert counted == statuses


UPGRADE = ("Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA")
CONNECTION = "Connection: Upgrade, HTTP2-Settings"


@pytest.mark.parametrize("wish", [(CONNECTION, *UPGRADE), ("Connection: upgrade", "Upgrade: websocket")])
@pytest.mark.parametrize("cut", [1, 60, 150, 10_000])
def test_wish_for_another_protocol_is_passed_over(
    wish: tuple[str, ...], cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    head = "\r\n".join(["POST / HTTP/1.1", "Host: x", *wish, "Content-Length: 5000"]).encode()
    chunked = "\r\n".join(["POST / HTTP/1.1", "Host: x", *wish, "Transfer-Encoding: chunked"]).encode()
    data = head + b"\r\n\r\n" + b"b" * 5000 + chunked + b"\r\n\r\n2\r\nbb\r\n0\r\n\r\n" + request(100)

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (data[:cut], data[cut:]):
            writer.write(part)
            await asyncio.sleep(0)
        return await reader.read()

    answers = talk(work, app=tell_length).split(b"HTTP/1.1 200 OK")
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"", b"5000", b"2", b"0"]
    assert caplog.text == ""


def test_many_wishes_at_once_are_passed_over() -> None:
    one = "\r\n".join(["GET / HTTP/1.1", CONNECTION, *UPGRADE, "\r\n"]).encode()
    assert sent(one * 200 + request(100)).count(b"HTTP/1.1 200") == 201
