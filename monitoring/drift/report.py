"""The files of a drift check: all figures as JSON, and Evidently's page of each subject."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from MLOps.artifacts import write_text
from MLOps.vendors.evidently import DriftTest, draw_drift
from monitoring.drift.sample import Sample
from monitoring.drift.verdict import Status, SubjectDrift

REPORT_FILE = "drift.json"


class DriftReport(BaseModel):
    """What a check found, subject by subject."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="Model whose inputs and actions were checked; empty where there was none.")
    subjects: tuple[SubjectDrift, ...]


def write_report(folder: Path, report: DriftReport) -> str:
    """Write the figures; returns the file's name."""
    write_text(folder / REPORT_FILE, report.model_dump_json(indent=2) + "\n")
    return REPORT_FILE


def read_report(folder: Path) -> DriftReport:
    """The figures of a check's output folder."""
    return DriftReport.model_validate_json((folder / REPORT_FILE).read_bytes())


def draw_report(folder: Path, found: SubjectDrift, sample: Sample, most_columns: int) -> Mapping[str, str]:
    """Let Evidently draw the most drifted columns of a subject; returns the page by name, or nothing."""
    drawn = [column for column in found.columns if column.scores][:most_columns]
    if found.status is Status.NOT_CHECKED or not drawn:
        return {}
    tests = [
        DriftTest(column.column, method, threshold)
        for column in drawn
        for method, threshold in column.thresholds.items()
    ]
    page = f"{found.subject}.html"
    draw_drift(sample.reference, sample.current, tests, folder / page)
    return {f"report_{found.subject}": page}


def figures_of(found: SubjectDrift) -> dict[str, float]:
    """The figures that leave for tracking: ``<subject>.status`` and the like, scores by feature and method.

    A feature's score is the largest over its tickers, so that their number does not grow with the universe.
    """
    figures: dict[str, float] = {
        f"{found.name}.status": float(found.status),
        f"{found.name}.drifted_fraction": found.drifted_fraction,
        f"{found.name}.missing_fraction": found.missing_fraction,
    }
    for column in found.columns:
        feature = column.column.split(".")[0]
        for method, score in column.scores.items():
            name = f"{found.name}.score.{feature}.{method}"
            figures[name] = max(score, figures.get(name, 0.0))
    return figures if found.status is not Status.NOT_CHECKED else {f"{found.name}.status": float(found.status)}
