"""Connections whose client does not read its answer end, so that nobody can hold them, or the end of the server."""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from MLOps.settings.serving import LimitSettings


def end_unread(listener: socket.socket, seconds: float) -> None:
    """Let connections that `listener` accepts end once the other side has taken nothing of what was sent for so long.

    Linux' TCP_USER_TIMEOUT: it runs while sent bytes wait for an acknowledgement, or for room at the other side; also
    behind the last answer, when the connection is being closed.
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * seconds))


class BoundedAnswers(HttpToolsProtocol):
    """A connection that ends where an answer, or its part that is more than the buffers hold, is not taken in time.

    The kernel's limit begins anew with each byte that is taken; this one does not.

    Parameters
    ----------
    limits : LimitSettings
        The bounds.
    **uvicorns : Any
        What uvicorn gives a protocol.
    """

    def __init__(self, limits: LimitSettings, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._unread_seconds = limits.unread_seconds
        self._unread_timer: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Begin to wait for the client."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(self._unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken nearly all."""
        self._stop_waiting()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with a connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def abandon_unread(self) -> None:
        """End the connection if something waits for the client."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
