"""A listener that ends lets in who has come, and nobody else."""

import asyncio
import socket
import sys

import pytest

from deployment.serving.closing_listener import let_in_the_last


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a socket takes no filter")
def test_who_has_come_is_accepted_before_it_returns_and_nobody_after() -> None:
    accepted = []

    async def inside() -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            listener.setblocking(False)
            place = listener.getsockname()
            early = [socket.create_connection(place) for _ in range(40)]

            async def accept_late() -> None:
                await asyncio.wait([closing], timeout=0.2)
                while len(accepted) < 40:
                    accepted.append(await asyncio.get_running_loop().sock_accept(listener))

            closing = asyncio.create_task(let_in_the_last(listener))
            accepting = asyncio.create_task(accept_late())
            await asyncio.wait_for(closing, 30)
            assert len(accepted) == 40
            await accepting
            with pytest.raises(TimeoutError):
                socket.create_connection(place, timeout=0.05)
            for connection, _ in accepted:
                connection.sendall(b"answer")
                connection.close()
            for client in early:
                assert client.recv(10) == b"answer"
                client.close()

    asyncio.run(inside())
