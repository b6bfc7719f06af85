"""Runs long and large and writes what held: ``make bench-long``, ``make bench-long PART=name``."""

import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import command_line
import machine
import records
from comparison import NotEqualError
from endurance import Endures, NotSoundError

PARTS = ("soak", "training", "size", "serving")
_LOG = logging.getLogger("bench")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts named, or all; 0 if all of them held."""
    return command_line.run(__file__, "Run long and large.", PARTS, run_part, argv)


def run_part(name: str, reports: Path, is_quick: bool) -> bool:
    """Run one part here and merge what it found; False if something broke."""
    endure: Endures = importlib.import_module(f"long.{name}").endure
    _LOG.info("%s: begins", name)
    on = machine.describe()
    try:
        record = records.endured(name, endure(is_quick=is_quick), on)
    except (NotSoundError, NotEqualError) as error:
        record = records.broken(name, str(error), on)
    records.merge(reports / "benchmarks_long.json", record)
    sys.stdout.write(in_words(record) + "\n")
    sys.stdout.flush()
    return bool(record["is_sound"])


def in_words(record: records.Record) -> str:
    """What held or broke in one line, and the findings below."""
    verdict = "sound" if record["is_sound"] else "BROKEN"
    return "\n    ".join([f"{record['name']}: {verdict}: {record['check']}", *record["findings"]])


if __name__ == "__main__":
    sys.exit(main())
