"""uvicorn's protocol with a bound on what precedes a request: its head's bytes, and the time that they may take.

uvicorn keeps each header it is sent, and waits for the rest of a head for ever; both need no key.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import orjson

from deployment.serving.ignored_upgrades import IgnoredUpgrades
from deployment.serving.joined_writes import JoiningProtocol
from deployment.serving.unread_answers import BoundedAnswers
from MLOps.settings.serving import LimitSettings

_MOST_PIPELINED = 256
"""Requests that may wait on one connection for the answer to an earlier one; whoever sends more is cut off."""


_GOODBYE_SECONDS = 1.0
"""How long a client may go on to send what is thrown away, and read why."""


class _Place(Enum):
    """Where in a message the next byte belongs."""

    HEAD = auto()
    BODY = auto()
    END = auto()


class _TooManyError(Exception):
    """More requests wait on the connection than are allowed to."""


class BoundedHeads(JoiningProtocol, IgnoredUpgrades, BoundedAnswers):
    """A connection whose heads are bounded: 431 beyond `max_head_kib`, 408 after `head_seconds`.

    Counted are the bytes since a message began, or since the last byte of its body, so that trailers and chunk
    extensions are held to the same bound. The clock runs from the connection's beginning, and where data comes
    that completes no head; a request in one packet, which is nearly every one, starts none.

    Parameters
    ----------
    limits : LimitSettings
        The bounds.
    count_refusal : callable
        ``count_refusal(status)`` is told of each message that is refused before it is a request, or in its midst:
        the application hears nothing of them. So are those that get no answer, because one to an earlier request
        is due first.
    **uvicorns : Any
        What uvicorn gives a protocol.
    """

    def __init__(self, limits: LimitSettings, count_refusal: Callable[[int], None], **uvicorns: Any) -> None:
        super().__init__(limits=limits, **uvicorns)
        self._count_refusal = count_refusal
        self._most, self._seconds = limits.max_head_kib * 1024, limits.head_seconds
        self._place, self._bare_bytes, self._has_moved = _Place.HEAD, 0, False
        self._head_timer: Any = None
        self._is_refused = False

    def connection_made(self, transport: Any) -> None:
        """Begin with a connection, and with its clock."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with a connection, and with its clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, never more at once than a head may still have."""
        if self._is_refused:
            return
        if self._place is _Place.END:
            self._place = _Place.HEAD
        if len(data) <= self._most - self._bare_bytes:
            self._parse(data)
        else:
            self._parse_in_pieces(data)
        if self._place is _Place.HEAD or (self._place is _Place.BODY and self.cycle.response_complete):
            self._await_head()
        elif self._head_timer is not None and not self._is_refused:
            self._stop_clock()

    def _parse_in_pieces(self, data: bytes) -> None:
        start = 0
        while start < len(data) and not self._is_over():
            end = start + self._most - self._bare_bytes
            self._parse(data[start:end])
            start = end
            if self._bare_bytes >= self._most and start < len(data):
                told = f"the head is longer than {self._most // 1024} KiB"
                self._refuse(431, "Request Header Fields Too Large", told)

    def _parse(self, data: bytes) -> None:
        self._has_moved = False
        super().data_received(data)
        self._bare_bytes = 0 if self._has_moved else self._bare_bytes + len(data)

    def on_message_begin(self) -> None:
        """Begin with a request."""
        self._place = _Place.HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer; what comes now is the body."""
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise _TooManyError
        super().on_headers_complete()
        self._place, self._has_moved = _Place.BODY, True

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._has_moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End with a request's body."""
        self._place, self._has_moved = _Place.END, True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._count_refusal(400)
        super().send_400_response(msg)

    def _is_over(self) -> bool:
        return self._is_refused or self.transport.is_closing()

    def _await_head(self) -> None:
        if self._head_timer is None and not self._is_over():
            self._head_timer = self.loop.call_later(self._seconds, self._end_late)

    def _stop_clock(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_late(self) -> None:
        self._head_timer = None
        if self._place is _Place.HEAD and self._bare_bytes:
            self._refuse(408, "Request Timeout", f"the head did not come within {self._seconds:g} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, phrase: str, reason: str) -> None:
        """Answer and end; without an answer where one to an earlier request is due first."""
        self._is_refused = True
        self._count_refusal(status)
        self._stop_clock()
        if self.cycle is None or self.cycle.response_complete:
            body = orjson.dumps({"reason": reason, "field": None})
            head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            self.transport.write(f"{head}connection: close\r\n\r\n".encode())
            self.transport.write(body)
            self.transport.write_eof()
            # Closed at once, with data unread, the connection would be reset, and the answer might be lost with it.
            self._head_timer = self.loop.call_later(_GOODBYE_SECONDS, self.transport.close)
        else:
            self.transport.close()
