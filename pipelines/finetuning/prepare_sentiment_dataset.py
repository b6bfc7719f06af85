"""Stage prepare_sentiment_dataset: labelled sentences, cleaned, split by group, judged and versioned.

Makes data/labelled/<source>-<key>/labelled_sentences.parquet, published as
data/labelled/labelled_sentences.parquet. A suite that fails stops the stage and leaves the last good
data in place.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output
from MLOps.errors import DataError, FailedExpectationsError, SettingsError
from MLOps.settings.project import from_project
from MLOps.settings.sentiment_dataset import (
    LabelledArchive,
    LabelledFileSettings,
    ScoreScale,
    SentimentDatasetSettings,
)
from MLOps.settings.stage_settings import fingerprint
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag
from MLOps.versioned_output import make_versioned

if TYPE_CHECKING:
    import pandas as pd

    from MLOps.sentiment.dataset import LabelledDataset

_LOG = logging.getLogger(__name__)
_FILE = "labelled_sentences.parquet"


@dataclass(frozen=True)
class _Source:
    """The chosen source: its name, its section of the settings, and the user's file if it is one."""

    name: str
    section: LabelledArchive | LabelledFileSettings
    file: Path | None


def prepare_sentiment_dataset(settings: SentimentDatasetSettings, tracker: Tracker) -> StageResult:
    """Read, check, clean, divide, judge and write the sentences.

    Raises
    ------
    SettingsError
        If the source is a file and none is named.
    DataError
        If the rows cannot be read or used, a class or a split comes out empty, or the suite fails.
    SourceUnavailableError
        If no package index or the DVC remote can be reached.
    """
    source = _source(settings)

    def make(folder: Path, _key: str) -> Made:
        from MLOps.sentiment.dataset import build_dataset
        from MLOps.sentiment.labelled import write_labelled

        dataset = build_dataset(_rows(settings, source), settings.max_characters, settings.duplicates, settings.split)
        _tell(dataset)
        _validate(dataset.sentences, source.section.scale, settings)
        write_labelled(dataset.sentences, folder / _FILE)
        return _made(dataset, source)

    output = Output(
        stage=STAGE.name,
        root=settings.paths.data / "labelled",
        settings=settings,
        inputs={"file": source.file} if source.file else {},
        label=settings.source,
        version=2,  # 2: a group is placed by its own name alone
        extra={"source": source.name, "section": fingerprint(source.section)},
        publish=(_FILE,),
    )
    result = make_versioned(output, make, tracker, settings.versioning)
    _refuse_future(result, _run_date(settings))
    return result


def _run_date(settings: SentimentDatasetSettings) -> date:
    return settings.run_date or datetime.now(UTC).date()


def _refuse_future(result: StageResult, run_date: date) -> None:
    """Raise DataError if sentences that a later run made are asked for on a day on which they were not known."""
    last = result.details["last_published"]
    if last is not None and date.fromisoformat(str(last)) > run_date:
        raise DataError(f"{result.folder} holds sentences published on {last}", f"none after {run_date}", "--run_date")


def _source(settings: SentimentDatasetSettings) -> _Source:
    if settings.source == "package_archive":
        archives = settings.sources.package_archive
        return _Source(f"package_archive/{archives.dataset}", archives.datasets[archives.dataset], None)
    file = settings.sources.file
    if file.path is None:
        raise SettingsError("sources.file.path is empty", "a CSV or JSONL file", "--file_path PATH")
    path = from_project(file.path.expanduser())
    return _Source(f"file/{path.name}", file, path)


def _rows(settings: SentimentDatasetSettings, source: _Source) -> "pd.DataFrame":
    """The source's rows with their types, texts as they were found."""
    from pipelines.finetuning.check_rows import typed_rows
    from pipelines.finetuning.read_labelled_archive import read_labelled_archive
    from pipelines.finetuning.read_labelled_file import read_labelled_file

    section = source.section
    if isinstance(section, LabelledArchive):
        timeout = settings.sources.package_archive.timeout_seconds
        rows = read_labelled_archive(section, settings.paths.cache / "packages", timeout)
        dataset = settings.sources.package_archive.dataset
        rows = rows.assign(group=f"{dataset}/" + rows["group"])  # its numbers mean other articles in another dataset
        return typed_rows(rows, source.name, section.scale, names=None)
    assert source.file is not None
    rows = read_labelled_file(source.file, section)
    if "group" not in rows.columns:
        _LOG.info("%s names no groups: each text is one", source.name)
    return typed_rows(rows, str(source.file), section.scale, section.classes)


def _tell(dataset: "LabelledDataset") -> None:
    for rows, what in ((dataset.empty_rows, "empty and left out"), (dataset.cut_rows, "too long and cut")):
        if rows:
            _LOG.warning("%d texts are %s (first: row %s)", len(rows), what, ", ".join(map(str, rows[:3])))
    if dataset.contradictions:
        _LOG.warning("%d sentences have the text of another with another label: left out", dataset.contradictions)
    _LOG.info(
        "%d sentences of %d groups; left out: %d near-duplicates of held-out ones, %d exact duplicates",
        len(dataset.sentences),
        dataset.sentences["group"].nunique(),
        dataset.near_duplicates,
        dataset.exact_duplicates,
    )


def _validate(sentences: "pd.DataFrame", scale: ScoreScale, settings: SentimentDatasetSettings) -> None:
    from MLOps.sentiment.labelled_expectations import judged_table, labelled_expectations
    from MLOps.vendors.great_expectations import validate_table

    suite = labelled_expectations(scale.min_score, scale.max_score, settings.max_characters, _run_date(settings))
    broken = [finding for finding in validate_table(judged_table(sentences), suite) if not finding.is_met]
    if broken:
        told = "; ".join(f"{one.reason}: {len(one.rows) or one.problem}" for one in broken)
        first = [text[:60] for text in sentences.loc[list(broken[0].rows[:3]), "text"]]
        raise FailedExpectationsError(
            f"sentences fail their validation ({told}; first: {first})",
            mend="the rows they come from",
            failed=len(broken),
        )
    _LOG.info("sentences: %d expectations met", len(suite))


def _made(dataset: "LabelledDataset", source: _Source) -> Made:
    from MLOps.sentiment.dataset_figures import dataset_figures

    scale, days = source.section.scale, dataset.sentences["published_at"].dropna()
    return Made(
        files={"sentences": _FILE},
        metrics=dataset_figures(dataset),
        details={
            "source": source.name,
            "licence": source.section.licence,
            "origin": source.section.note,
            "warnings": " | ".join(source.section.warnings),
            "classes_by_score": f"negative below {scale.negative_below:g}, positive above {scale.positive_above:g}",
            "first_published": f"{days.min():%Y-%m-%d}" if len(days) else None,
            "last_published": f"{days.max():%Y-%m-%d}" if len(days) else None,
        },
    )


STAGE = Stage(
    name="prepare_sentiment_dataset",
    settings_type=SentimentDatasetSettings,
    run=prepare_sentiment_dataset,
    flags=(
        ValueFlag("source", "source", "package_archive or file (default: package_archive)"),
        ValueFlag("dataset", "sources.package_archive.dataset", "dataset of the source package_archive"),
        ValueFlag("file_path", "sources.file.path", "CSV or JSONL of the source file"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
