"""Stage ingest_data: daily bars and news of one source, up to one session, validated and versioned.

The clock `data.as_of` says which session is the last one. A suite that fails stops the stage, names
the bad rows in reports/data_validation/ and leaves the last good data in place.
"""

import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, write_text
from MLOps.market.as_of import AsOf, freshness, resolve_as_of
from MLOps.market.calendars import exchange_timezone, session_closes
from MLOps.market.news import known_at, no_news, write_news
from MLOps.market.source import DataSource
from MLOps.settings.ingestion import IngestionSettings
from MLOps.settings.stage_settings import identity_of
from MLOps.stage import Stage, StageResult, Tracker, ValueFlag
from MLOps.versioned_output import make_versioned
from pipelines.data_ingestion.open_source import accepted_jumps, open_source, source_identity, source_inputs
from pipelines.data_ingestion.update_snapshot import (
    Snapshot,
    last_snapshot,
    update_bars,
    update_news,
    write_snapshot,
)
from pipelines.data_ingestion.validate_bars import validate_bars

_LOG = logging.getLogger(__name__)


def ingest_data(settings: IngestionSettings, tracker: Tracker) -> StageResult:
    """Make the raw data up to the session that the clock names.

    Raises
    ------
    DataError
        If the source holds no such data, or its bars fail the suite.
    SourceUnavailableError
        If the source or the DVC remote cannot be reached, or a network source lacks only the last sessions.
    """
    paths = settings.paths
    as_of = resolve_as_of(settings.data.clock, settings.run_date, settings.data.calendar, paths.data)
    output = Output(
        stage=STAGE.name,
        root=paths.raw,
        settings=settings,
        inputs=source_inputs(settings),
        label=as_of.session.isoformat(),
        extra={"as_of": as_of.session.isoformat(), "source": source_identity(settings)},
        version=2,
    )
    source = open_source(settings)

    def make(folder: Path, key: str) -> Made:
        return _make(settings, source, as_of, folder, key, tracker)

    return make_versioned(output, make, tracker, settings.versioning)


def _make(
    settings: IngestionSettings, source: DataSource, as_of: AsOf, folder: Path, key: str, tracker: Tracker
) -> Made:
    data, series = settings.data, _series(settings)
    last = last_snapshot(settings.paths.raw, series, as_of.session)
    update = update_bars(source, data.tickers, data.start, as_of.session, last, settings.overlap_sessions)
    _LOG.info(
        "%s: %d bars up to %s, %d of them new",
        source.origin.source,
        len(update.bars),
        as_of.session,
        update.fetched_rows,
    )
    report = validate_bars(
        update.bars,
        data.calendar,
        as_of.session,
        settings.validation,
        settings.paths.reports / "data_validation" / f"{as_of.session}-{key}",
        accepted_jumps(settings),
        None if source.is_local else source.origin.source,
    )
    _LOG.info("all %d checks of the bars are met", len(report["checks"]))
    linked = write_snapshot(update.bars, folder / "bars", last)
    news = _news(settings, source, as_of, last)
    write_news(news, folder / "news.parquet")
    write_text(folder / "validation.json", json.dumps(report, indent=2) + "\n")
    # How the snapshot came about differs between a first and a later run; what it holds does not.
    tracker.metrics(
        {"fetched_rows": update.fetched_rows, "restated_rows": update.restated_rows, "linked_years": linked}
    )
    return Made(
        files={"bars": "bars", "news": "news.parquet", "validation": "validation.json"},
        metrics={
            "bars": len(update.bars),
            "tickers": update.bars["ticker"].nunique(),
            "articles": len(news),
            **freshness(source.origin.source, data.calendar, date.fromisoformat(report["last_session"]), as_of),
        },
        details={
            "as_of": as_of.session.isoformat(),
            "is_replay": as_of.is_replay,
            "clock": data.as_of,
            "calendar": data.calendar,
            "source": source.origin.source,
            "licence": source.origin.licence,
            "origin": source.origin.note,
            "warnings": " | ".join(source.origin.warnings),
            "tickers": ",".join(report["tickers"]),
            "first_session": report["first_session"],
            "last_session": report["last_session"],
            "series": series,
        },
    )


def _news(settings: IngestionSettings, source: DataSource, as_of: AsOf, last: Snapshot | None) -> pd.DataFrame:
    """The articles that were known before the last session closed."""
    if not settings.data.with_news:
        return no_news()
    news = update_news(source, settings.data.tickers, settings.data.start, as_of.session, last)
    calendar = settings.data.calendar
    close = session_closes(calendar, as_of.session, as_of.session).iloc[0]
    return news[known_at(news, exchange_timezone(calendar)) < close].reset_index(drop=True)


def _series(settings: IngestionSettings) -> str:
    """Identity of the data apart from its last day: snapshots that share it continue one another."""
    data = identity_of(settings.data)
    del data["as_of"]
    place = [str(path) for path in source_inputs(settings).values()]
    identity = json.dumps([data, source_identity(settings), place], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


STAGE = Stage(
    name="ingest_data",
    settings_type=IngestionSettings,
    run=ingest_data,
    flags=(
        ValueFlag("source", "data.source", "package_archive, yahoo, alpaca or folder"),
        ValueFlag("universe", "sources.package_archive.universe", "universe of the source package_archive"),
        ValueFlag("as_of", "data.as_of", "clock: logical_date, replay(YYYY-MM-DD) or YYYY-MM-DD"),
        ValueFlag("start", "data.start", "first session to keep, YYYY-MM-DD"),
        ValueFlag("tickers", "data.tickers", "tickers, separated by commas"),
        ValueFlag("bars_path", "sources.folder.bars", "file or folder of the source folder"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
