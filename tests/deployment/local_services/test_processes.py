"""Services are found again and ended whole, also when their leader has died."""

import os
import select
import signal
import sys
from pathlib import Path

import pytest

from deployment.local_services.processes import (
    ServiceRecord,
    living_processes,
    recorded_services,
    start_service,
    stop_service,
)

_LEADER = """
import signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", *sys.argv[1:]])
signal.pause()
"""
_CHILD = """
import os, signal, sys
{first}
with open(sys.argv[1], "w") as pipe:
    pipe.write(str(os.getpid()))
while True:
    signal.pause()
"""


def _start(tmp_path: Path, first: str = "") -> tuple[ServiceRecord, int]:
    """A service and the number of its child, which says it when it is ready."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-c", _LEADER, _CHILD.format(first=first), str(pipe)]
    record = start_service("probe", command, os.environ, tmp_path, tmp_path / "services")
    return record, int(pipe.read_text())


def _ends(pidfd: int) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(30_000))


@pytest.mark.parametrize("first", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"], ids=["obedient", "stubborn"])
def test_stop_ends_the_leader_and_its_children(tmp_path: Path, first: str) -> None:
    record, pid = _start(tmp_path, first)
    pidfds = [os.pidfd_open(number) for number in (record.session, pid)]
    assert stop_service(record, tmp_path / "services", timeout_seconds=2) == 2
    assert all(_ends(pidfd) for pidfd in pidfds)
    assert living_processes(record) == []
    assert recorded_services(tmp_path / "services") == []


def test_a_child_is_found_when_the_leader_was_killed(tmp_path: Path) -> None:
    record, pid = _start(tmp_path)
    leader = os.pidfd_open(record.session)
    os.kill(record.session, signal.SIGKILL)
    assert _ends(leader)
    (found,) = recorded_services(tmp_path / "services")
    assert living_processes(found) == [pid]
    watched = os.pidfd_open(pid)
    assert stop_service(found, tmp_path / "services", timeout_seconds=5) == 1
    assert _ends(watched)


def test_a_number_that_was_given_anew_is_left_alone(tmp_path: Path) -> None:
    record, pid = _start(tmp_path)
    stranger = record.model_copy(update={"started_ticks": record.started_ticks - 1})
    assert living_processes(stranger) == []
    assert set(living_processes(record)) == {record.session, pid}
    stop_service(record, tmp_path / "services", timeout_seconds=5)


def test_output_goes_to_a_log(tmp_path: Path) -> None:
    record = start_service("probe", [sys.executable, "-c", "print('hello')"], os.environ, tmp_path, tmp_path / "s")
    os.waitpid(record.session, 0)
    assert (tmp_path / "s" / "probe.log").read_text() == "hello\n"
    assert living_processes(record) == []
