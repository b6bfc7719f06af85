"""Requests a second of our inference server beside ``mlflow models serve`` with the same network, on loopback.

Both serve one process each, answer requests of one observation over 32 kept connections, and are sent the same
observations by the same generator, which runs in a process of its own. Then ours is sent 60% of its peak at a steady
pace, whether or not answers have come: the time of an answer counts from the moment when its request was due. Four more
windows of that are told beside, and of each window whose its stalls are: what the host took, how long server and
generator stood in a run queue, how late the generator was by itself, and what the server ran for a request; behind them
how evenly the processor itself runs: at 60% of the peak a queue grows wherever it is 1.7 times slower than it was then.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from comparison import Demand, Measurement, NotEqualError, Row, in_turns, require_equal
from http_load import Load, Seen, send_load
from processor_use import measure_steadiness
from timing_servers import RunningServer, draw_observations, mlflow_server, our_server, write_network

_LOG = logging.getLogger(__name__)
_CONNECTIONS, _CHECKED, _SENT = 32, 64, 256
_SECONDS, _SECONDS_QUICK, _RUNS, _RUNS_QUICK = 10.0, 1.0, 3, 1
_PACE, _FURTHER, _P99_MS, _TARGET = 0.6, 4, 5.0, 5.0


def measure(*, is_quick: bool) -> Measurement:
    """Check the answers, then time both in turns, then ours at a pace."""
    with TemporaryDirectory() as place:
        folder, workspace = Path(place, "model"), Path(place, "workspace")
        workspace.mkdir()
        digest = write_network(folder)
        with our_server(folder, workspace) as ours, mlflow_server(folder, digest, workspace) as peer:
            return _measure(ours, peer, _SECONDS_QUICK if is_quick else _SECONDS, _RUNS_QUICK if is_quick else _RUNS)


def _measure(ours: RunningServer, peer: RunningServer, seconds: float, runs: int) -> Measurement:
    _LOG.info("checking")
    checked = _require_same_answers(ours, peer)
    _LOG.info("timing")
    rows = [row.tolist() for row in draw_observations(_SENT)]
    our_load = _load(ours.port, "/predict", "observations", rows, seconds)
    peer_load = _load(peer.port, "/invocations", "inputs", rows, seconds)
    our_runs: list[Seen] = []
    peer_runs: list[Seen] = []
    timing = in_turns(lambda: _rate(peer_load, peer_runs), lambda: _rate(our_load, our_runs), runs)
    pace = _PACE * timing.ours
    at_pace = Load(**{**vars(our_load), "per_second": pace, "server_pid": ours.process.pid})
    windows = [_seen_whole(at_pace) for _ in range(1 + _FURTHER)]
    paced, steadiness = windows[0], measure_steadiness(seconds)
    return Measurement(
        timing=timing,
        check=checked,
        size={"connections": _CONNECTIONS, "rows_a_request": 1},
        demands=(Demand(f"p99 at {_PACE:.0%} of the peak", paced.p99_ms, _P99_MS, "ms", is_floor=False),),
        findings=(
            _in_words("peer, at its peak", peer_runs[-1]),
            _in_words("ours, at its peak", our_runs[-1]),
            _in_words(f"ours, at {pace:,.0f} requests/s", paced),
            *(f"window {number}: {_stalls_in_words(seen)}" for number, seen in enumerate(windows, start=1)),
            f"the processor by itself, behind the windows: {steadiness.slow_share:.1%} of slices of 50 ms 1.3 times "
            f"slower than the median or more, the slowest {steadiness.slowest:.1f} times",
        ),
        notes=(
            "One process each, as `mlflow models serve` starts by default; ONNX Runtime computes both.",
            "The generator keeps to one core, which the server that it asks may use too.",
        ),
        details={
            "peer_p50_ms": peer_runs[-1].p50_ms,
            "peer_p99_ms": peer_runs[-1].p99_ms,
            "ours_p50_ms": our_runs[-1].p50_ms,
            "ours_p99_ms": our_runs[-1].p99_ms,
            "paced_requests_per_second": pace,
            "paced_p50_ms": paced.p50_ms,
            "paced_p99_ms": [seen.p99_ms for seen in windows],
            "paced_windows": [asdict(seen) for seen in windows],
            "steadiness": asdict(steadiness),
        },
    )


def _require_same_answers(ours: RunningServer, peer: RunningServer) -> str:
    observations = draw_observations(_CHECKED).tolist()
    our_values = ours.post("/predict", {"observations": observations})["q_values"]
    peer_values = peer.post("/invocations", {"inputs": observations})["predictions"]
    if isinstance(peer_values, dict):
        peer_values = peer_values["q_values"]
    return require_equal("q values", np.array(our_values), np.array(peer_values), rtol=1e-4, atol=1e-5)


def _load(port: int, path: str, field: str, rows: list[list[float]], seconds: float) -> Load:
    bodies = tuple(json.dumps({field: [row]}) for row in rows)
    return Load(port, path, bodies, _CONNECTIONS, seconds)


def _rate(load: Load, runs: list[Seen]) -> float:
    runs.append(_seen_whole(load))
    return runs[-1].per_second


def _seen_whole(load: Load) -> Seen:
    """What a load came to; NotEqualError if a request failed."""
    seen = send_load(load)
    if seen.errors or not seen.requests:
        raise NotEqualError(f"{seen.errors} of {seen.errors + seen.requests} requests to {load.path} failed")
    return seen


def _in_words(who: str, seen: Seen) -> str:
    return f"{who}: {seen.per_second:,.0f} requests/s, p50 {seen.p50_ms:.2f} ms, p99 {seen.p99_ms:.2f} ms"


def _stalls_in_words(seen: Seen) -> str:
    """The window's times, and beside them whose they may be."""
    return (
        f"p99 {seen.p99_ms:.2f} ms, slowest {seen.max_ms:.1f}; stolen by the host {seen.stolen_ms:.0f}; "
        f"in a run queue: server {seen.server.waited_ms:.0f} (preempted {seen.server.preempted} times), "
        f"generator {seen.generator.waited_ms:.0f}; the generator's longest stall {seen.stall_ms:.1f}, p99 of what it "
        f"sent late {seen.late_p99_ms:.2f}; the server ran {1000 * seen.server.ran_ms / seen.requests:.0f} µs a request"
    )


ROW = Row(unit="requests/s", is_higher_better=True, target_ratio=_TARGET, measure=measure)
