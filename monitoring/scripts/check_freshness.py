"""Stage check_freshness: how many sessions the newest data of each feed lie behind the clock that they follow.

Whether ingestion failed or never ran, the answer is the same: the clock has gone on. Makes
reports/freshness/<day>-<key>/freshness.json. Old data are a result, not a failure; the alert rules judge it.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from experiment_tracking.runner import run_stage
from MLOps.artifacts import RESULT_FILE, Made, Output, make_once, write_text
from MLOps.errors import DataError
from MLOps.market.as_of import BEHIND, AsOf, freshness, resolve_as_of
from MLOps.market.calendars import shift_session
from MLOps.settings.clock import parse_clock
from MLOps.settings.freshness import FreshnessSettings
from MLOps.stage import Stage, StageResult, Tracker

_FILE = "freshness.json"


@dataclass(frozen=True)
class Feed:
    """Ingested data, and the session that their clock has come to."""

    name: str
    calendar: str
    newest: date
    as_of: AsOf

    def figures(self) -> dict[str, float]:
        """Sessions behind, and whether it is a replay."""
        return freshness(self.name, self.calendar, self.newest, self.as_of)


def check_freshness(settings: FreshnessSettings, tracker: Tracker) -> StageResult:
    """Measure how old the newest data of each feed are, on its own clock.

    Raises
    ------
    DataError
        If nothing was ever ingested, or what was ingested does not tell its clock.
    """
    results = _results(settings)
    feeds = [read_feed(path, settings.run_date) for path in results]
    output = Output(
        stage=STAGE.name,
        root=settings.paths.reports / "freshness",
        settings=settings,
        inputs={str(path.parent.relative_to(settings.paths.workspace)): path for path in results},
        label=str(settings.run_date or datetime.now(UTC).date()),
        extra={feed.name: str(feed.as_of.session) for feed in feeds},
    )

    def make(folder: Path, _key: str) -> Made:
        figures = {name: value for feed in feeds for name, value in feed.figures().items()}
        newest = {feed.name: str(feed.newest) for feed in feeds}
        write_text(folder / _FILE, json.dumps({"figures": figures, "newest": newest}, indent=2, sort_keys=True) + "\n")
        return Made(files={"freshness": _FILE}, metrics=figures, details=newest)

    return make_once(output, make, tracker)


def read_feed(path: Path, run_date: date | None) -> Feed:
    """The feed of which ingestion told its result in `path`.

    Raises
    ------
    DataError
        If the file is no result of an ingestion.
    """
    try:
        told = StageResult.model_validate_json(path.read_bytes())
        name = next(figure.removeprefix(BEHIND) for figure in told.metrics if figure.startswith(BEHIND))
        calendar, behind = str(told.details["calendar"]), int(told.metrics[BEHIND + name])
        newest = shift_session(calendar, date.fromisoformat(str(told.details["as_of"])), -behind)
        clock = parse_clock(str(told.details["clock"]))
    except (ValueError, KeyError, StopIteration) as error:
        raise DataError(
            f"{path} does not tell clock and newest session", "a result of ingestion", "run ingestion again"
        ) from error
    place = path.resolve().parents[2]  # <place>/<root>/<output>/result.json, where ingestion keeps its anchor
    return Feed(name, calendar, newest, resolve_as_of(clock, run_date, calendar, place))


def _results(settings: FreshnessSettings) -> list[Path]:
    workspace = settings.paths.workspace
    found = [path for feed in settings.feeds for path in sorted(workspace.glob(f"{feed}/{RESULT_FILE}"))]
    if not found:
        raise DataError(
            f"no ingested data in {workspace}",
            f"a {RESULT_FILE} in {', '.join(settings.feeds)}",
            "run ingest_data first",
        )
    return found


STAGE = Stage(name="check_freshness", settings_type=FreshnessSettings, run=check_freshness)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
