"""Whoever leaves an answer unread is let go; whoever reads it, slowly too, gets it whole."""

import asyncio
import socket

import pytest

from deployment.serving.unread_answers import end_unread

ANSWER = b"x" * 8_000_000  # more than the kernel keeps for a connection


def listener() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen()
    return made


async def ends(takes_answer: bool) -> BaseException | None:
    """How sending the answer ended for the server."""
    ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(0)
        try:
            writer.write(ANSWER)
            await writer.drain()
            ended.set_result(None)
        except OSError as error:
            ended.set_result(error)
        writer.transport.abort()

    door = listener()
    end_unread(door, 1)
    async with asyncio.timeout(60), await asyncio.start_server(answer, sock=door):
        reader, writer = await asyncio.open_connection(*door.getsockname(), limit=1024)
        if takes_answer:
            assert len(await reader.readexactly(len(ANSWER))) == len(ANSWER)
        else:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket's transport
        told = await ended
        writer.transport.abort()
        return told


@pytest.mark.parametrize("takes_answer", [True, False])
def test_an_answer_is_sent_to_whom_takes_it(takes_answer: bool) -> None:
    told = asyncio.run(ends(takes_answer))
    assert (told is None) == takes_answer
