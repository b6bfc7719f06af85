"""Head and body of an answer in one write: half the system calls, one packet, one wake-up of the client.

A long body is written behind its head, for joining them would copy it, once for each client that waits for it.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD, _CONTINUE = b"HTTP/1.1 ", b"HTTP/1.1 100 "
_MOST_JOINED = 64 * 1024


class JoinedWrites:
    """A transport that keeps an answer's head back until the first part of its body comes, which ASGI promises.

    Parameters
    ----------
    transport : asyncio.Transport
        Does all the rest.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._head, self._is_over = transport, b"", False

    def write(self, data: bytes) -> None:
        """Write, or keep a head for the next write; 100 Continue has no body, and goes at once."""
        if self._is_over:
            return
        if self._head:
            head, self._head = self._head, b""
            if len(data) > _MOST_JOINED:
                self._transport.write(head)
            else:
                data = head + data
        elif data.startswith(_HEAD) and not data.startswith(_CONTINUE):
            self._head = data
            return
        self._transport.write(data)

    def close(self) -> None:
        """Write what is kept, and close."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def forget(self) -> None:
        """Pass over what is written from now on: the connection is no more, and uvloop's transport would raise."""
        self._is_over = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class JoiningProtocol(HttpToolsProtocol):
    """uvicorn's protocol over such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a connection."""
        super().connection_made(JoinedWrites(transport))  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        """End with a connection; uvicorn tells so the last request of several alone, and an earlier one writes on."""
        self.transport.forget()  # type: ignore[attr-defined]
        super().connection_lost(exc)
