"""The drift checks of a workspace, by the day of the newest row that they looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError

from monitoring.drift.report import REPORT_FILE, DriftReport, read_report
from monitoring.drift.verdict import SubjectDrift


@dataclass(frozen=True)
class DriftCheck:
    """One check.

    Attributes
    ----------
    folder : Path
    made_at : datetime
        UTC.
    report : DriftReport
    """

    folder: Path
    made_at: datetime
    report: DriftReport


@dataclass(frozen=True)
class SubjectCheck:
    """What one check found of one subject.

    Attributes
    ----------
    check : DriftCheck
    found : SubjectDrift
    """

    check: DriftCheck
    found: SubjectDrift

    @property
    def day(self) -> date | None:
        """Day of the newest row; None if the subject could not be checked."""
        return date.fromisoformat(self.found.current.last) if self.found.current else None

    @property
    def page(self) -> Path | None:
        """Evidently's page; None where nothing was drawn."""
        path = self.check.folder / f"{self.found.subject}.html"
        return path if path.is_file() else None


def read_checks(reports: Path) -> list[DriftCheck]:
    """All readable checks, the one that was made first first."""
    found = []
    for path in (reports / "drift").glob(f"[!.]*/{REPORT_FILE}"):
        if path.parent.is_symlink():  # `latest`
            continue
        try:
            made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            found.append(DriftCheck(path.parent, made_at, read_report(path.parent)))
        except (OSError, ValidationError):  # cleaned away meanwhile, or written by another release
            continue
    return sorted(found, key=lambda check: check.made_at)


def by_subject(checks: list[DriftCheck]) -> Mapping[str, list[SubjectCheck]]:
    """The checks of each subject, by the day of their newest row; of a day the last check counts.

    A check without an answer has no day: it stands at the end if it was the last of its subject, else nowhere.
    """
    by_day: dict[str, dict[date, SubjectCheck]] = {}
    last: dict[str, SubjectCheck] = {}
    for check in checks:
        for found in check.report.subjects:
            told = last[found.name] = SubjectCheck(check, found)
            days = by_day.setdefault(found.name, {})
            if told.day is not None:
                days[told.day] = told
    return {
        subject: [days[day] for day in sorted(days)] + ([last[subject]] if last[subject].day is None else [])
        for subject, days in by_day.items()
    }
