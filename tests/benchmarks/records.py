"""The file of figures: a list of records by name, written whole."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from comparison import Demand, Measurement, Row, ratio
from endurance import Endured

from MLOps.partial_places import partial_place

Record = dict[str, Any]


def measured(name: str, row: Row, found: Measurement, machine: dict[str, Any]) -> Record:
    """The record of a row whose results were equal."""
    timing = found.timing
    times_better = ratio(timing.ours, timing.peer, is_higher_better=row.is_higher_better)
    return {
        "name": name,
        "ours": timing.ours,
        "peer": timing.peer,
        "unit": row.unit,
        "ratio": times_better,
        "checked": True,
        "target_ratio": row.target_ratio,
        "is_target_met": times_better >= row.target_ratio,
        "demands": [_demand(demand) for demand in found.demands],
        "check": found.check,
        "size": found.size,
        "findings": found.findings,
        "notes": found.notes,
        "details": found.details,
        "ours_runs": timing.ours_runs,
        "peer_runs": timing.peer_runs,
        "sizes": [asdict(point) for point in found.sizes],
        "machine": machine,
        "measured_at": _now(),
    }


def unequal(name: str, row: Row, reason: str, machine: dict[str, Any]) -> Record:
    """The record of a row that was not timed, because the results differ."""
    return {
        "name": name,
        "ours": None,
        "peer": None,
        "unit": row.unit,
        "ratio": None,
        "checked": False,
        "target_ratio": row.target_ratio,
        "is_target_met": False,
        "check": reason,
        "machine": machine,
        "measured_at": _now(),
    }


def endured(name: str, found: Endured, machine: dict[str, Any]) -> Record:
    """The record of a long run that held."""
    return _long(name, found, machine) | {"is_sound": True}


def broken(name: str, reason: str, machine: dict[str, Any]) -> Record:
    """The record of a long run that did not."""
    return _long(name, Endured(reason, (), {}), machine) | {"is_sound": False}


def read(path: Path) -> list[Record]:
    """The records so far; none if there is no file yet."""
    records: list[Record] = json.loads(path.read_text()) if path.exists() else []
    return records


def merge(path: Path, record: Record) -> list[Record]:
    """Put a record in the place of the one of its name, or last; the other rows stay as they are."""
    records = read(path)
    by_name = {old["name"]: old for old in records} | {record["name"]: record}
    merged = list(by_name.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(merged, indent=1, allow_nan=False) + "\n")
    return merged


def write_whole(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never a part."""
    with partial_place(path) as place:
        place.write_text(text, encoding="utf-8")
        place.replace(path)


def _demand(demand: Demand) -> dict[str, Any]:
    return asdict(demand) | {"is_met": demand.is_met, "in_words": demand.in_words()}


def _long(name: str, found: Endured, machine: dict[str, Any]) -> Record:
    return {"name": name, **asdict(found), "machine": machine, "measured_at": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
