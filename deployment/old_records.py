"""Records that runs leave beside their outputs: logs, alerts, reports of checks, checkpoints of what never ended."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from MLOps.alert_events import events_folder, newest_by_identity, read_events
from MLOps.settings.cleaning import CleaningSettings

_AT_WORK = timedelta(days=2)
"""Younger than this a record may be in use: a plan gives a try at a stage one day at most."""

_DIGITS = 16
"""So many digits of a model's digest, or all of them, name its caches."""


@dataclass(frozen=True)
class RecordKind:
    """Records of one kind, each a file or a folder of its own.

    Attributes
    ----------
    root : Path
        Where they lie.
    pattern : str
        What tells one from a file of somebody's own, relative to `root`.
    keep_count : int
        So many of the newest stay, however old.
    """

    root: Path
    pattern: str
    keep_count: int

    def newest_first(self) -> list[tuple[float, Path]]:
        """The records, each with the time of its last change, in seconds since 1970."""
        entries = {self.root / file.relative_to(self.root).parts[0] for file in self.root.glob(self.pattern)}
        return sorted(((_changed_at(entry), entry) for entry in entries if not entry.is_symlink()), reverse=True)


def record_kinds(settings: CleaningSettings) -> tuple[RecordKind, ...]:
    """Every kind; checkpoints, which a training that ends removes, and what can be made again go by age alone."""
    paths, count = settings.paths, settings.keep_count
    checkpoints = [paths.models / ".checkpoints", *sorted(paths.models.glob("[!.]*/.checkpoints"))]
    return (
        RecordKind(paths.reports / "chains", "*/chain.json", count),
        RecordKind(paths.reports / "alerts", "*.json", count),
        RecordKind(paths.reports / "logs", "*.log", count),
        RecordKind(paths.reports / "data_validation", "*/report.json", count),
        RecordKind(paths.cache / "models", "*", count),
        RecordKind(paths.cache / "onnx", "*", 0),
        RecordKind(paths.cache / "news_scores", "*", 0),
        *(RecordKind(root, "*", 0) for root in checkpoints),
    )


def old_records(settings: CleaningSettings, now: datetime, needed_digests: Collection[str]) -> Iterator[Path]:
    """Records that are too old and, within their kind, too far back; not the event of an alert that still fires.

    Parameters
    ----------
    settings : CleaningSettings
        What stays.
    now : datetime
        Moment that ages are counted to.
    needed_digests : collection of str
        Models whose cached files stay.
    """
    before = now - max(timedelta(days=settings.keep_days), _AT_WORK)
    firing = _firing_events(settings.paths.reports)
    for kind in record_kinds(settings):
        for changed_at, entry in kind.newest_first()[kind.keep_count :]:
            is_needed = entry in firing or _is_of(needed_digests, entry)
            if changed_at < before.timestamp() and not is_needed:
                yield entry


def _firing_events(reports: Path) -> set[Path]:
    """The last news of each alert that fires: without it nobody would tell of it again, nor of its end."""
    events, _ = read_events(reports)
    last = newest_by_identity(events).values()
    return {events_folder(reports) / event.file_name for event in last if event.status == "firing"}


def _is_of(digests: Collection[str], entry: Path) -> bool:
    """Whether the name begins with one of the digests, or with enough of it, as a cache of one model does."""
    start = entry.name.partition("-")[0]
    return len(start) >= _DIGITS and any(digest.startswith(start) for digest in digests)


def _changed_at(entry: Path) -> float:
    try:
        return max(path.lstat().st_mtime for path in (entry, *entry.rglob("*")))
    except FileNotFoundError:  # a part of it went at this moment: it is in use
        return math.inf
