"""A load of HTTP requests on kept connections: as fast as answers come, or at a given pace.

It runs as a process of its own, so that it takes no time from the server's: a `Load` comes as one JSON line, what was
`Seen` goes as another. Requests are bytes made beforehand, and answers are cut by their Content-Length, so that the
generator costs a fraction of what any server does.
"""

import asyncio
import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from time import perf_counter

import uvloop

_HEAD_END, _LENGTH, _OK = b"\r\n\r\n", b"content-length: ", b"HTTP/1.1 200"
_TICK_SECONDS = 0.0005


@dataclass(frozen=True)
class Load:
    """What to send.

    Attributes
    ----------
    port : int
        On 127.0.0.1.
    path : str
        Route.
    bodies : tuple of str
        JSON, sent in turns.
    connections : int
        Kept connections.
    seconds : float
        For how long.
    per_second : float
        Requests a second, sent when they are due whether or not answers have come; 0 sends each connection's next
        request when its answer has come.
    warm_up_seconds : float
        Sent before, and not counted.
    """

    port: int
    path: str
    bodies: tuple[str, ...]
    connections: int
    seconds: float
    per_second: float = 0.0
    warm_up_seconds: float = 0.5


@dataclass(frozen=True)
class Seen:
    """What came of it.

    Attributes
    ----------
    requests : int
        Answered with 200.
    errors : int
        Others, and connections that broke.
    per_second : float
        Requests answered in a second.
    p50_ms, p99_ms, max_ms : float
        Time to an answer; at a pace, from the moment when the request was due, so that a queue is not hidden.
    """

    requests: int
    errors: int
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def send_load(load: Load) -> Seen:
    """Send a load from a process of its own.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; its words have gone to stderr.
    """
    command = [sys.executable, str(Path(__file__))]
    answer = subprocess.run(command, input=json.dumps(asdict(load)), stdout=subprocess.PIPE, text=True, check=True)
    return Seen(**json.loads(answer.stdout))


class _Connection(asyncio.Protocol):
    """One kept connection; tells the generator of each answer."""

    def __init__(self, generator: "_Generator") -> None:
        self._generator = generator
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._generator.is_free(self)

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = _end_of_answer(self._buffer)
        if end:
            is_ok = self._buffer.startswith(_OK)
            del self._buffer[:end]
            self._generator.answered(self, is_ok)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._generator.lost()


def _end_of_answer(buffer: bytearray) -> int:
    """Where the first answer ends; 0 if more is to come."""
    head_end = buffer.find(_HEAD_END)
    if head_end < 0:
        return 0
    start = head_end + len(_HEAD_END)
    at = buffer.find(_LENGTH, 0, head_end)
    if at < 0:
        raise RuntimeError(f"an answer without Content-Length: {bytes(buffer[:head_end])!r}")
    stop = buffer.find(b"\r", at)
    end = start + int(buffer[at + len(_LENGTH) : stop])
    return end if len(buffer) >= end else 0


@dataclass
class _Generator:
    load: Load
    times: list[float] = field(default_factory=list)
    errors: int = 0
    counts: bool = False
    is_over: bool = False
    _free: deque[_Connection] = field(default_factory=deque)
    _due: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._requests = cycle(_requests(self.load))

    def is_free(self, connection: _Connection) -> None:
        if self.is_over:
            return
        if not self.load.per_second:
            connection.send(next(self._requests), perf_counter())
        elif self._due:
            connection.send(next(self._requests), self._due.popleft())
        else:
            self._free.append(connection)

    def is_due(self, moment: float) -> None:
        """Send a request that is due; it waits if no connection is free."""
        if self._free:
            self._free.popleft().send(next(self._requests), moment)
        else:
            self._due.append(moment)

    def answered(self, connection: _Connection, is_ok: bool) -> None:
        if self.counts:
            if is_ok:
                self.times.append(perf_counter() - connection.due)
            else:
                self.errors += 1
        self.is_free(connection)

    def lost(self) -> None:
        if not self.is_over:
            self.errors += 1


def _requests(load: Load) -> Iterator[bytes]:
    for body in load.bodies:
        head = (
            f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body.encode())}\r\n\r\n"
        )
        yield (head + body).encode()


async def _send(load: Load) -> Seen:
    loop, generator = asyncio.get_running_loop(), _Generator(load)
    transports = [
        (await loop.create_connection(lambda: _Connection(generator), "127.0.0.1", load.port))[0]
        for _ in range(load.connections)
    ]
    await _keep_pace(generator, load.warm_up_seconds)
    generator.counts, started = True, perf_counter()
    await _keep_pace(generator, load.seconds)
    generator.counts, elapsed = False, perf_counter() - started
    generator.is_over = True
    for transport in transports:
        transport.close()
    return _seen(generator, elapsed)


async def _keep_pace(generator: _Generator, seconds: float) -> None:
    """Let requests fall due at the load's pace for so long; without a pace, wait."""
    pace, started = generator.load.per_second, perf_counter()
    if not pace:
        await asyncio.sleep(seconds)
        return
    sent = 0
    while (elapsed := perf_counter() - started) < seconds:
        for number in range(sent, int(elapsed * pace)):
            generator.is_due(started + (number + 1) / pace)
        sent = max(sent, int(elapsed * pace))
        await asyncio.sleep(_TICK_SECONDS)


def _seen(generator: _Generator, elapsed: float) -> Seen:
    times = sorted(generator.times) or [0.0]

    def quantile(share: float) -> float:
        return times[min(int(share * len(times)), len(times) - 1)] * 1000

    count = len(generator.times)
    return Seen(count, generator.errors, count / elapsed, quantile(0.5), quantile(0.99), times[-1] * 1000)


def main() -> int:
    """Send the load that standard input tells."""
    given = json.load(sys.stdin)
    load = Load(**{**given, "bodies": tuple(given["bodies"])})
    sys.stdout.write(json.dumps(asdict(uvloop.run(_send(load)))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
