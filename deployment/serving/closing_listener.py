"""A listening socket ended without a reset: nobody new is let in, and who was let in is accepted before the end.

Closing resets every connection that the kernel has taken and the server has not accepted yet, whose client may have
sent its request already. So new connections are stopped first, at the packet that asks for one; on Linux only, where
a socket can be given a filter. Who asks then asks again after a second, and is told that nobody listens.
"""

import asyncio
import ctypes
import select
import socket
import struct
import sys
from contextlib import suppress

_ATTACH_FILTER = 26
_FLAGS_OFFSET, _SYN = 13, 0x02  # in a TCP header
_NO_SYN = (
    (0x30, 0, 0, _FLAGS_OFFSET),  # load the byte of the flags
    (0x45, 0, 1, _SYN),  # go on, or skip one where it is not set
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # keep
)
_HANDSHAKE_SECONDS = 0.1
_LOOK_SECONDS, _MOST_SECONDS = 0.01, 2.0


async def let_in_the_last(listener: socket.socket) -> None:
    """Return once nothing waits to be accepted, and nothing can come; until then the loop's server goes on accepting.

    It returns after two seconds at the latest: a process without file descriptors left can accept no one.
    """
    if _refuse_new(listener):
        await asyncio.sleep(_HANDSHAKE_SECONDS)  # who has half a handshake behind them may end it
    loop = asyncio.get_running_loop()
    until = loop.time() + _MOST_SECONDS
    while _has_waiting(listener) and loop.time() < until:
        await asyncio.sleep(_LOOK_SECONDS)


def _refuse_new(listener: socket.socket) -> bool:
    """Drop the first packet of every new connection; False where that cannot be had."""
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_SYN))
    with suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(_NO_SYN), ctypes.addressof(program))
        )
        return True
    return False


def _has_waiting(listener: socket.socket) -> bool:
    looker = select.poll()
    looker.register(listener, select.POLLIN)
    return bool(looker.poll(0))
