"""Services as sessions of processes: started apart from the terminal, found again, ended whole.

A service leads a session of its own, so that everything it starts can be told from the rest of the
machine, also when its leader has died: a session's number is not given anew while a member lives.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from MLOps.artifacts import write_text
from MLOps.settings.stage_settings import Settings

_LOOK_SECONDS = 0.1


class ServiceRecord(Settings):
    """What is kept of a started service, to find it again."""

    name: str = Field(description="Name of the service.")
    session: int = Field(gt=1, description="Session, and process id of its leader.")
    started_ticks: int = Field(ge=0, description="Start of the leader, in clock ticks since the machine's own.")


@dataclass(frozen=True)
class _Process:
    pid: int
    session: int
    started_ticks: int
    is_dead: bool


def start_service(
    name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path, folder: Path
) -> ServiceRecord:
    """Start `command` in a session of its own, its output in ``<folder>/<name>.log``, and record it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    leader = _read_process(process.pid)
    record = ServiceRecord(name=name, session=process.pid, started_ticks=leader.started_ticks if leader else 0)
    write_text(folder / f"{name}.json", record.model_dump_json() + "\n")
    return record


def recorded_services(folder: Path) -> list[ServiceRecord]:
    """The services that were started and not yet stopped."""
    records = []
    for path in sorted(folder.glob("*.json")):
        with suppress(ValidationError):
            records.append(ServiceRecord.model_validate_json(path.read_bytes()))
    return records


def living_processes(record: ServiceRecord) -> list[int]:
    """Process ids of a service, its leader or what the leader left behind."""
    processes = [found for path in Path("/proc").glob("[0-9]*") if (found := _read_process(int(path.name)))]
    leader = next((process for process in processes if process.pid == record.session), None)
    if leader is not None and leader.started_ticks != record.started_ticks:
        return []  # the number was given anew, so the session had ended
    return [process.pid for process in processes if process.session == record.session and not process.is_dead]


def stop_service(record: ServiceRecord, folder: Path, timeout_seconds: float) -> int:
    """End every process of a service and forget it; returns how many there were."""
    seen = set(living_processes(record))
    _signal(seen, signal.SIGTERM)
    deadline = time.monotonic() + timeout_seconds
    while (living := living_processes(record)) and time.monotonic() < deadline:
        seen.update(living)
        time.sleep(_LOOK_SECONDS)
    while living := living_processes(record):
        seen.update(living)
        _signal(living, signal.SIGKILL)
        time.sleep(_LOOK_SECONDS)
    (folder / f"{record.name}.json").unlink(missing_ok=True)
    return len(seen)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _read_process(pid: int) -> _Process | None:
    """A line of /proc; None if the process has ended."""
    try:
        text = Path("/proc", str(pid), "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    state, session, started = fields[0], int(fields[3]), int(fields[19])
    return _Process(pid, session, started, is_dead=state in {"Z", "X"})
