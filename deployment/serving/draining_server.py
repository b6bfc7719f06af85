"""uvicorn, ended without a lost request: it says good-bye on each connection, lets in the last one, then closes."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn

from deployment.serving.bounded_heads import BoundedHeads
from deployment.serving.closing_listener import let_in_the_last
from deployment.serving.gate import Gate
from MLOps.settings.serving import ServerSettings

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.02
_LAST_SECONDS = 0.5


class DrainingServer(uvicorn.Server):
    """Serves a gate until SIGTERM or SIGINT.

    From the signal on, GET /ready is refused, so that a balancer looks elsewhere, and each answer closes its
    connection. For `drain_linger_seconds` new connections are served still; then nobody new is let in, those who
    came are accepted, and have as long again to send their request, as have clients that keep their connection. What
    is idle to the end is closed then. Requests that are being computed get `drain_seconds`; who has not read an answer
    just before they are over is not waited for.

    Parameters
    ----------
    gate : Gate
        The application.
    settings : ServerSettings
        Times.
    count_refusal : callable
        ``count_refusal(status)`` is told of what is refused before it is a request.
    """

    def __init__(self, gate: Gate, settings: ServerSettings, count_refusal: Callable[[int], None]) -> None:
        protocol: Any = partial(BoundedHeads, settings.limits, count_refusal)
        super().__init__(
            uvicorn.Config(
                gate,
                loop="uvloop",
                http=protocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=settings.drain_seconds,
            )
        )
        self._gate, self._linger_seconds = gate, settings.drain_linger_seconds
        self._drain_seconds = settings.drain_seconds
        self.signal: signal.Signals | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let a signal end the serving; the process then ends by itself, with a status of its own."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._end, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and tell where."""
        await super().startup(sockets)
        for listener in sockets or []:
            _LOG.info("http://%s:%d (/docs tells its routes)", *listener.getsockname()[:2])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on for a while, stop listening, let connections say good-bye, then end as uvicorn does."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._linger_seconds
        while loop.time() < until and not self.force_exit:
            await asyncio.sleep(_LOOK_SECONDS)
        for listener in sockets or []:
            await let_in_the_last(listener)
        for server in self.servers:
            server.close()
        until = loop.time() + self._linger_seconds
        while self.server_state.connections and loop.time() < until and not self.force_exit:
            await asyncio.sleep(_LOOK_SECONDS)
        loop.call_later(self._drain_seconds - _LAST_SECONDS, self._abandon_unread)
        await super().shutdown(sockets)

    def _abandon_unread(self) -> None:
        """Before uvicorn cancels what waits for a client, which would tell it as an error with its traceback."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedHeads):
                connection.abandon_unread()

    def _end(self, number: signal.Signals) -> None:
        _LOG.info("%s: not ready any more; what is asked for is answered", number.name)
        self.signal, self._gate.is_draining = number, True
        self.handle_exit(number, None)
