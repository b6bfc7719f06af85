"""The inference server at 80% of its peak for ten minutes: every request answered, and memory flat.

The peak is found first, as fast as answers come over 32 kept connections. Memory is what the server's own page tells.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from endurance import Endured, NotSoundError
from http_load import Load, Seen, send_load
from timing_servers import RunningServer, draw_observations, our_server, write_network

_SECONDS, _QUICK_SECONDS, _PEAK_SECONDS, _QUICK_PEAK_SECONDS = 600.0, 3.0, 20.0, 1.0
_CONNECTIONS, _SENT, _PACE, _LOOKS = 32, 256, 0.8, 10
_ALLOWED_GROWTH_MIB = 16.0


def endure(*, is_quick: bool) -> Endured:
    """Find the peak, then keep 80% of it up."""
    with TemporaryDirectory() as place:
        folder, workspace = Path(place, "model"), Path(place, "workspace")
        workspace.mkdir()
        write_network(folder)
        with our_server(folder, workspace) as server:
            peak = _sound(_load(server, _QUICK_PEAK_SECONDS if is_quick else _PEAK_SECONDS))
            return _keep_up(server, peak.per_second, _QUICK_SECONDS if is_quick else _SECONDS)


def _keep_up(server: RunningServer, peak: float, seconds: float) -> Endured:
    pace, resident = _PACE * peak, [_resident_mib(server)]
    seen: list[Seen] = []
    for _ in range(_LOOKS):
        seen.append(_sound(_load(server, seconds / _LOOKS, pace)))
        resident.append(_resident_mib(server))
        if (growth := resident[-1] - resident[0]) > _ALLOWED_GROWTH_MIB:
            raise NotSoundError(f"the server's memory grew from {resident[0]:.0f} by {growth:.0f} MiB")
    requests, worst = sum(part.requests for part in seen), max(part.p99_ms for part in seen)
    return Endured(
        check=f"{requests:,} requests answered, none failed, at {pace:,.0f} a second asked for (80% of {peak:,.0f})",
        findings=(
            f"answered: {requests / seconds:,.0f} a second; p99 of the worst tenth {worst:.2f} ms",
            f"memory: {resident[0]:,.1f} MiB warm, {resident[-1]:,.1f} MiB in the end",
        ),
        figures={
            "peak_per_second": peak,
            "pace_per_second": pace,
            "answered_per_second": requests / seconds,
            "requests": requests,
            "p99_ms_worst_tenth": worst,
            "resident_mib_first": resident[0],
            "resident_mib_last": resident[-1],
        },
    )


def _load(server: RunningServer, seconds: float, pace: float = 0.0) -> Load:
    bodies = tuple(json.dumps({"observations": [row.tolist()]}) for row in draw_observations(_SENT))
    return Load(server.port, "/predict", bodies, _CONNECTIONS, seconds, pace)


def _sound(load: Load) -> Seen:
    """What a load came to; NotSoundError if a request failed."""
    seen = send_load(load)
    if seen.errors or not seen.requests:
        raise NotSoundError(f"{seen.errors} of {seen.errors + seen.requests} requests failed")
    return seen


def _resident_mib(server: RunningServer) -> float:
    page = server.get("/metrics")
    (line,) = (line for line in page.splitlines() if line.startswith("process_resident_memory_bytes "))
    return float(line.split()[1]) / 2**20
