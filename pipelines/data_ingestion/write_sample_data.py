"""Write real data for the signal-rate job: the first hours of Bitcoin as CSV, and a config.yaml beside it.

    python pipelines/data_ingestion/write_sample_data.py [--workspace PATH] [key=value ...]

Makes data/sample/data.csv and data/sample/config.yaml; the same settings give the same bytes. Prices and
volumes are written as their source writes them, digit by digit; a timestamp is the opening of its hour in UTC.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from MLOps.artifacts import write_text, written_whole
from MLOps.errors import DataError, PlatformError
from MLOps.settings.compose import compose_settings
from MLOps.settings.sample_data import SampleDataSettings, SampleJobSettings
from pipelines.data_ingestion.read_crypto_archive import read_crypto_archive

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume_btc", "volume_usd")
_OURS = ("opened_at", "open", "high", "low", "close", "volume", "volume_usd")


def write_sample_data(settings: SampleDataSettings) -> tuple[Path, Path]:
    """Write both files, each whole or not at all; gives the paths of the data and of the configuration.

    Raises
    ------
    SourceUnavailableError
        If no package index can be reached and the archive is not cached.
    DataError
        If the source holds fewer rows.
    """
    cache = settings.paths.cache / "packages"
    bars = read_crypto_archive(settings.source, cache, settings.sources.crypto.timeout_seconds)
    if len(bars) < settings.rows:
        raise DataError(f"rows={settings.rows}", f"1 to {len(bars)}", "config/stages/write_sample_data.yaml")
    rows = bars.iloc[: settings.rows].assign(
        opened_at=lambda frame: frame["opened_at"].dt.strftime("%Y-%m-%d %H:%M:%S")
    )
    data, config = (settings.paths.data / "sample" / name for name in ("data.csv", "config.yaml"))
    with written_whole(data) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows[list(_OURS)].to_numpy().tolist())
    write_text(config, _commented(settings.job))
    return data, config


def _commented(job: SampleJobSettings) -> str:
    """The job's configuration as YAML, one line and one comment a key; what JSON writes is YAML too."""
    values = job.model_dump()
    lines = (
        f"{name}: {json.dumps(values[name])} # {info.description}" for name, info in type(job).model_fields.items()
    )
    return "".join(f"{line.rstrip('.')}\n" for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sample and print where it lies; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", help="root of data/ (default: the project)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings, such as rows=1000 job.window=20")
    arguments = parser.parse_args(argv)
    place = [f"paths.workspace={arguments.workspace}"] if arguments.workspace else []
    try:
        settings = compose_settings(SampleDataSettings, "write_sample_data", [*place, *arguments.overrides])
        paths = write_sample_data(settings)
    except PlatformError as error:
        print(f"write_sample_data: {error}", file=sys.stderr)  # noqa: T201 - the failure of a command line
        return error.exit_code
    print(*paths, sep="\n")  # noqa: T201 - the answer of a command line
    return 0


if __name__ == "__main__":
    sys.exit(main())
