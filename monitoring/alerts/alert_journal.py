"""The notifications that came, one JSON line each, the newest last; on disk before the sender is thanked."""

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from MLOps.artifacts import write_text
from monitoring.alerts.notification import Notification, ReceivedNotification, SentAlert

_LOG = logging.getLogger(__name__)


def journal_path(reports: Path) -> Path:
    """Where the receiver keeps what came."""
    return reports / "alerts_received" / "notifications.jsonl"


class AlertJournal:
    """The file of notifications.

    Parameters
    ----------
    path : Path
        The file; it is made with its folder at the first notification.
    keep : int
        So many notifications stay at least; at twice as many the older half goes.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self._path, self._keep = path, keep
        self._lock = threading.Lock()

    def append(self, notification: Notification) -> None:
        """Keep a notification; when this returns it is on disk.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        received = ReceivedNotification(received_at=datetime.now(UTC), notification=notification)
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                # A line that a crash cut short must not swallow this one.
                stream.write(("" if _ends_whole(self._path) else "\n") + received.model_dump_json() + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._trim()

    def read(self) -> list[ReceivedNotification]:
        """All that is kept, the oldest first; lines that a crash cut short are passed over."""
        return read_journal(self._path)

    def _trim(self) -> None:
        lines = _lines(self._path)
        if len(lines) >= 2 * self._keep:
            write_text(self._path, "".join(f"{line}\n" for line in lines[-self._keep :]))


def read_journal(path: Path) -> list[ReceivedNotification]:
    """The notifications in a journal, the oldest first; none if there is no such file."""
    received = []
    with suppress(FileNotFoundError):
        for number, line in enumerate(_lines(path), 1):
            try:
                received.append(ReceivedNotification.model_validate_json(line))
            except ValidationError:
                _LOG.warning("%s:%d is no notification; passed over", path, number)
    return received


def firing_alerts(received: Sequence[ReceivedNotification]) -> list[SentAlert]:
    """The alerts whose last news is that they fire, the longest first."""
    last = {alert.fingerprint: alert for each in received for alert in each.notification.alerts}
    return sorted((alert for alert in last.values() if alert.status == "firing"), key=lambda alert: alert.starts_at)


def _lines(path: Path) -> list[str]:
    """The lines; JSON leaves U+2028 and its like within one, at which str.splitlines would break it."""
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            return True
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
