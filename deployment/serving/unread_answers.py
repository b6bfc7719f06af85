"""Connections whose client does not read its answer: the kernel ends them, so that nobody can hold them for ever."""

import socket


def end_unread(listener: socket.socket, seconds: float) -> None:
    """Let connections that `listener` accepts end once the other side has taken nothing of an answer for so long.

    Linux' TCP_USER_TIMEOUT: it runs while sent bytes wait for an acknowledgement, or for room at the other side. A
    client that reads slowly, but reads, goes on.
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * seconds))
