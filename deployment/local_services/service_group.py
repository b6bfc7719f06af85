"""Services that are started together: ports looked at first, all waited for, and none left if one fails."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployment.local_services.processes import (
    ServiceRecord,
    living_processes,
    recorded_services,
    start_service,
    stop_service,
)
from MLOps.errors import ServiceUnavailableError
from MLOps.settings.project import project_root

Say = Callable[[str], None]
_LOOK_SECONDS = 0.2
_TELL_SECONDS = 5


@dataclass(frozen=True)
class Service:
    """A program to start.

    Attributes
    ----------
    name : str
        Its name.
    command : tuple of str
        Its command line.
    environment : dict of str to str
        Its whole environment.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]


@dataclass(frozen=True)
class ServiceGroup:
    """What is started and stopped by one command.

    Attributes
    ----------
    folder : Path
        Where records and logs of its services are kept.
    start_timeout_seconds, stop_timeout_seconds : float
        How long they may take to come up, and each to end before a kill.
    """

    folder: Path
    start_timeout_seconds: float
    stop_timeout_seconds: float

    def running(self) -> list[str]:
        """Names of the services that were started and still live."""
        return [record.name for record in recorded_services(self.folder) if living_processes(record)]

    def start(self, services: Sequence[Service], checks: Mapping[str, Callable[[], bool]], say: Say) -> None:
        """Start every service and wait until every check holds; on failure none stays.

        Raises
        ------
        ServiceUnavailableError
            If a service ends at once, or a check does not hold in time.
        """
        records: list[ServiceRecord] = []
        try:
            for service in services:
                records.append(
                    start_service(service.name, service.command, service.environment, project_root(), self.folder)
                )
            self._wait(checks, records, say)
        except BaseException:
            for record in records:
                stop_service(record, self.folder, self.stop_timeout_seconds)
            raise

    def stop(self, say: Say) -> None:
        """End every process of the group, also after a crash."""
        records = recorded_services(self.folder)
        for record in reversed(records):
            ended = stop_service(record, self.folder, self.stop_timeout_seconds)
            say(f"{record.name}: {ended} process{'es' if ended != 1 else ''} ended")
        if not records:
            say("no service was running")

    def _wait(self, checks: Mapping[str, Callable[[], bool]], records: Sequence[ServiceRecord], say: Say) -> None:
        """Wait until everything answers, telling each part once it does."""
        missing, started, told = dict(checks), time.monotonic(), 0.0
        while missing:
            elapsed = time.monotonic() - started
            for name in [name for name, answers in missing.items() if answers()]:
                say(f"{name} answers after {elapsed:.0f} s")
                del missing[name]
            dead = [record.name for record in records if not living_processes(record)]
            if dead or elapsed > self.start_timeout_seconds:
                fault = (
                    f"{dead[0]} ended at once" if dead else f"{', '.join(missing)} did not answer in {elapsed:.0f} s"
                )
                raise ServiceUnavailableError(fault, mend=f"the logs in {self.folder}")
            if missing and elapsed - told >= _TELL_SECONDS:
                say(f"waiting for {' and '.join(missing)} ({elapsed:.0f} s)")
                told = elapsed
            time.sleep(_LOOK_SECONDS if missing else 0)


def require_free_ports(ports: Mapping[str, int]) -> None:
    """Refuse to go on while another program has one of `ports`, given by the keys of their settings.

    Raises
    ------
    ServiceUnavailableError
        If a port is taken.
    """
    for key, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise ServiceUnavailableError(
                    f"port {port} is in use by another program", "a free port", f"{key}=PORT or stop that program"
                ) from error


def answers(url: str) -> bool:
    """Whether a GET of `url` comes back with status 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
