"""Stage ingest_crypto_bars: bars of one cryptocurrency, up to one day of UTC, validated and versioned.

Makes data/crypto/<symbol>/<day>-<key>/bars.parquet, published as data/crypto/<symbol>/bars.parquet. A
suite that fails stops the stage, names the bad rows in reports/data_validation/ and leaves the last
good data in place.
"""

import json
import logging
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from experiment_tracking.runner import run_stage
from MLOps.artifacts import Made, Output, write_text
from MLOps.errors import DataError
from MLOps.market.as_of import AsOf, freshness, resolve_as_of
from MLOps.market.crypto_bars import PRICES, missing_spans, write_crypto_bars
from MLOps.market.data_warnings import BETWEEN_WARNINGS
from MLOps.settings.crypto_ingestion import CryptoIngestionSettings
from MLOps.settings.crypto_source import CryptoSymbol
from MLOps.settings.stage_settings import fingerprint
from MLOps.stage import Scalar, Stage, StageResult, Tracker, ValueFlag
from MLOps.versioned_output import make_versioned
from pipelines.data_ingestion.read_crypto_archive import read_crypto_archive
from pipelines.data_ingestion.validate_crypto_bars import validate_crypto_bars

_LOG = logging.getLogger(__name__)
_CALENDAR = "24/7"  # every day of UTC is a session
_FILE = "bars.parquet"


def ingest_crypto_bars(settings: CryptoIngestionSettings, tracker: Tracker) -> StageResult:
    """Make the bars of one cryptocurrency up to the end of the day that the clock names.

    Raises
    ------
    DataError
        If the source holds no such data, or its bars fail the suite.
    SourceUnavailableError
        If no package index or the DVC remote can be reached.
    """
    symbol, folder = settings.data.symbol, settings.paths.data / "crypto"
    as_of = resolve_as_of(settings.data.clock, settings.run_date, _CALENDAR, folder)
    output = Output(
        stage=STAGE.name,
        root=folder / symbol.lower(),
        settings=settings,
        label=as_of.session.isoformat(),
        extra={"as_of": as_of.session.isoformat(), "source": fingerprint(settings.source)},
        publish=(_FILE,),
    )

    def make(place: Path, key: str) -> Made:
        return _make(settings, as_of, place, key)

    return make_versioned(output, make, tracker, settings.versioning)


def _make(settings: CryptoIngestionSettings, as_of: AsOf, folder: Path, key: str) -> Made:
    symbol, source = settings.data.symbol, settings.source
    rows = read_crypto_archive(source, settings.paths.cache / "packages", settings.sources.crypto.timeout_seconds)
    bars = _up_to(_bars(rows, symbol, source), as_of.session, symbol)
    report = validate_crypto_bars(
        bars,
        source,
        as_of.session,
        settings.validation.max_reported_rows,
        settings.paths.reports / "data_validation" / f"{symbol.lower()}-{as_of.session}-{key}",
    )
    _LOG.info("%s: %d bars up to %s meet all %d checks", symbol, len(bars), as_of.session, len(report["checks"]))
    write_crypto_bars(bars, folder / _FILE)
    write_text(folder / "validation.json", json.dumps(report, indent=2) + "\n")
    gaps = missing_spans(bars)
    return Made(
        files={"bars": _FILE, "validation": "validation.json"},
        metrics={
            "bars": len(bars),
            "missing_bars": int(gaps["bars"].sum()),
            "bars_without_trade": int((bars["volume"] == 0).sum()),
            **freshness(f"{_origin(source)}/{symbol}", _CALENDAR, bars["opened_at"].iloc[-1].date(), as_of),
        },
        details=_details(settings, as_of, report) | {"missing_spans": _told(gaps)},
    )


def _bars(rows: pd.DataFrame, symbol: str, source: CryptoSymbol) -> pd.DataFrame:
    """The rows with the contract's columns; what is no number is NaN, for the suite to name."""
    names = [*PRICES, "volume", "volume_usd"]
    numbers = rows.reindex(columns=names, fill_value="").map(_number)
    opened = rows["opened_at"]
    return numbers.assign(timestamp=opened + source.bar_length, opened_at=opened, ticker=symbol)


def _number(text: str) -> float:
    """The double nearest to the decimals as written, which pandas' own parser misses by a bit now and then."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _up_to(bars: pd.DataFrame, day: date, symbol: str) -> pd.DataFrame:
    """The bars that had closed by the end of `day`, which the source must reach."""
    end = pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)
    held = bars["opened_at"].iloc[0], bars["timestamp"].iloc[-1]
    chosen = bars[bars["timestamp"] <= end]
    if chosen.empty or end > held[1]:
        raise DataError(
            f"the source of {symbol} does not hold bars up to the end of {day}",
            f"{held[0]:%Y-%m-%d %H:%M} to {held[1]:%Y-%m-%d %H:%M} UTC",
            "data.as_of; a replay starts anew when data/crypto/replay_anchor.json is removed",
        )
    return chosen


def _origin(source: CryptoSymbol) -> str:
    return f"package_archive/{source.package}"


def _details(settings: CryptoIngestionSettings, as_of: AsOf, report: dict[str, Any]) -> dict[str, Scalar]:
    source = settings.source
    return {
        "as_of": as_of.session.isoformat(),
        "is_replay": as_of.is_replay,
        "clock": settings.data.as_of,
        "calendar": _CALENDAR,
        "source": _origin(source),
        "licence": source.licence,
        "origin": source.note,
        "warnings": BETWEEN_WARNINGS.join(source.warnings),
        **{name: report[name] for name in ("ticker", "frequency", "first_bar", "last_bar")},
    }


def _told(gaps: pd.DataFrame) -> str:
    return ", ".join(f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}" for first, last, _ in gaps.to_numpy())


STAGE = Stage(
    name="ingest_crypto_bars",
    settings_type=CryptoIngestionSettings,
    run=ingest_crypto_bars,
    flags=(
        ValueFlag("symbol", "data.symbol", "cryptocurrency: BTC (hourly) or ETH (daily)"),
        ValueFlag("as_of", "data.as_of", "clock: logical_date, replay(YYYY-MM-DD) or YYYY-MM-DD"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from its command line."""
    return run_stage(STAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
