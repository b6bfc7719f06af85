"""A load of HTTP requests on kept connections: as fast as answers come, or at a given pace.

It runs as a process of its own, so that it takes no time from the server's: a `Load` comes as one JSON line, what was
`Seen` goes as another. Requests are bytes made beforehand, and answers are cut by their Content-Length, so that the
generator costs a fraction of what any server does. It sleeps until something is due or comes: one that spun would take
a core from the server, and be put off it by whatever else runs.
"""

import gc
import json
import os
import select
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from time import perf_counter

from processor_use import ProcessorUse, processor_use, stolen_ms

_HEAD_END, _LENGTH, _OK = b"\r\n\r\n", b"content-length: ", b"HTTP/1.1 200"
_READ_BYTES = 65_536


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
    patience_seconds : float
        How long after the end answers are waited for; what has none then is an error.
    server_pid : int
        Process whose use of the processors is told; 0 tells none.
    """

    port: int
    path: str
    bodies: tuple[str, ...]
    connections: int
    seconds: float
    per_second: float = 0.0
    warm_up_seconds: float = 0.5
    patience_seconds: float = 5.0
    server_pid: int = 0


@dataclass(frozen=True)
class Seen:
    """What came of it, of the requests that were due in the time that counts, whenever they were answered.

    Attributes
    ----------
    requests : int
        Answered with 200.
    errors : int
        Others, those without an answer, and connections that broke.
    per_second : float
        Requests answered, by the seconds in which they were due.
    p50_ms, p99_ms, max_ms : float
        Time to an answer; at a pace, from the moment when the request was due, so that a queue is not hidden.
    late_p99_ms, late_max_ms : float
        At a pace, how long after it was due a request left though a connection was free.
    stall_ms : float
        At a pace, the longest turn of the generator's own loop beyond what it meant to sleep: whatever it is that held
        it up, the times above hold it too, though no server did it.
    stolen_ms : float
        Time that the host gave to other machines.
    server, generator : ProcessorUse
        What both processes had of the processors, and waited for them.
    """

    requests: int
    errors: int
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    late_p99_ms: float
    late_max_ms: float
    stall_ms: float
    stolen_ms: float
    server: ProcessorUse
    generator: ProcessorUse


def send_load(load: Load) -> Seen:
    """Send a load from a process of its own.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; its words have gone to stderr.
    """
    command = [sys.executable, str(Path(__file__))]
    answer = subprocess.run(command, input=json.dumps(asdict(load)), stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(answer.stdout)
    return Seen(**told | {who: ProcessorUse(**told[who]) for who in ("server", "generator")})


class _Connection:
    """One kept connection, and what came of an answer so far."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.due = 0.0


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
    lateness: list[float] = field(default_factory=list)
    errors: int = 0
    stall: float = 0.0
    counted_from: float = float("inf")
    _free: deque[_Connection] = field(default_factory=deque)
    _waiting: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._requests = cycle(_requests(self.load))
        self._open = {
            connection.socket.fileno(): connection
            for connection in (_Connection(self.load.port) for _ in range(self.load.connections))
        }
        self._free.extend(self._open.values())
        self._started, self._sent_due = perf_counter(), 0

    def run_until(self, end: float) -> None:
        """Send what is due up to `end`, and take what is answered meanwhile."""
        pace, meant = self.load.per_second, float("inf")
        while (now := perf_counter()) < end:
            if pace:
                self.stall = max(self.stall, now - meant)
                self._send_due(now)
                timeout = max(min(self._started + (self._sent_due + 1) / pace, end) - perf_counter(), 0.0)
                meant = now + timeout
            else:
                while self._free:
                    self._send(self._free.popleft(), perf_counter())
                timeout = end - now
            self._take(timeout)

    def wait_for_the_rest(self) -> None:
        """Take the answers that are out; what has none within the load's patience is an error."""
        end = perf_counter() + self.load.patience_seconds
        while len(self._free) < len(self._open) and (now := perf_counter()) < end:
            self._take(end - now)
        busy = [connection.due for connection in self._open.values() if connection not in self._free]
        self.errors += sum(due >= self.counted_from for due in (*busy, *self._waiting))

    def close(self) -> None:
        for connection in self._open.values():
            connection.socket.close()

    def _send_due(self, now: float) -> None:
        """Send all that is due by now; what finds no free connection waits, and its time runs."""
        pace = self.load.per_second
        for number in range(self._sent_due + 1, int((now - self._started) * pace) + 1):
            due = self._started + number / pace
            if not self._free:
                self._waiting.append(due)
                continue
            if due >= self.counted_from:
                self.lateness.append(perf_counter() - due)
            self._send(self._free.popleft(), due)
        self._sent_due = max(self._sent_due, int((now - self._started) * pace))

    def _send(self, connection: _Connection, due: float) -> None:
        connection.due = due
        connection.socket.sendall(next(self._requests))

    def _take(self, timeout: float) -> None:
        """Read what comes within `timeout` seconds."""
        for number in select.select(list(self._open), (), (), timeout)[0]:
            connection = self._open[number]
            try:
                data = connection.socket.recv(_READ_BYTES)
            except ConnectionError:
                data = b""
            if not data:
                self._lose(number)
                continue
            connection.buffer += data
            if end := _end_of_answer(connection.buffer):
                self._answered(connection, end)

    def _answered(self, connection: _Connection, end: int) -> None:
        if connection.due >= self.counted_from:
            if connection.buffer.startswith(_OK):
                self.times.append(perf_counter() - connection.due)
            else:
                self.errors += 1
        del connection.buffer[:end]
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)

    def _lose(self, number: int) -> None:
        connection = self._open.pop(number)
        connection.socket.close()
        if connection in self._free:
            self._free.remove(connection)
        self.errors += 1


def _requests(load: Load) -> Iterator[bytes]:
    for body in load.bodies:
        head = (
            f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body.encode())}\r\n\r\n"
        )
        yield (head + body).encode()


def _uses(load: Load) -> tuple[ProcessorUse, ProcessorUse, float]:
    nothing = ProcessorUse(0.0, 0.0, 0)
    server = processor_use(load.server_pid) if load.server_pid else nothing
    return server, processor_use(os.getpid()), stolen_ms()


def _send(load: Load) -> Seen:
    generator = _Generator(load)
    generator.run_until(perf_counter() + load.warm_up_seconds)
    before = _uses(load)
    generator.stall, generator.counted_from = 0.0, (started := perf_counter())
    generator.run_until(started + load.seconds)
    elapsed, after = perf_counter() - started, _uses(load)
    generator.wait_for_the_rest()
    generator.close()
    count = len(generator.times)
    return Seen(
        requests=count,
        errors=generator.errors,
        per_second=count / elapsed,
        p50_ms=_quantile_ms(generator.times, 0.5),
        p99_ms=_quantile_ms(generator.times, 0.99),
        max_ms=_quantile_ms(generator.times, 1.0),
        late_p99_ms=_quantile_ms(generator.lateness, 0.99),
        late_max_ms=_quantile_ms(generator.lateness, 1.0),
        stall_ms=generator.stall * 1000,
        stolen_ms=after[2] - before[2],
        server=after[0].since(before[0]),
        generator=after[1].since(before[1]),
    )


def _quantile_ms(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds) or [0.0]
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000


def _keep_to_one_core() -> None:
    """Stay on one processor: the kernel draws two that talk onto the same, where each would wait for the other."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def main() -> int:
    """Send the load that standard input tells."""
    given = json.load(sys.stdin)
    load = Load(**{**given, "bodies": tuple(given["bodies"])})
    _keep_to_one_core()
    gc.freeze()
    gc.disable()  # nothing here is a cycle, and a collection would be taken for a stall of the server
    sys.stdout.write(json.dumps(asdict(_send(load))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
