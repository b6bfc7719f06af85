"""What a reader of results must know of the data: written by the ingestion, carried on by every stage."""

import json
from collections.abc import Mapping
from pathlib import Path

from MLOps.artifacts import RESULT_FILE
from MLOps.stage import Scalar

_CARRIED = ("as_of", "is_replay", "source", "licence", "origin", "warnings")
_BETWEEN = " | "


def carried_details(folder: Path) -> dict[str, Scalar]:
    """Facts about the origin of the data in an output folder, for the details of what is made from them.

    Empty where the folder holds no result of a stage, as with files of the user's own.
    """
    details = result_details(folder)
    return {name: details[name] for name in _CARRIED if name in details}


def result_details(folder: Path) -> dict[str, Scalar]:
    """Details of the result that a stage left in `folder`; empty where there is none."""
    try:
        result = json.loads((folder / RESULT_FILE).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return dict(result.get("details", {}))


def data_warnings(details: Mapping[str, Scalar]) -> tuple[str, ...]:
    """One sentence for each thing that limits what a result on these data says."""
    warnings = [text for text in str(details.get("warnings") or "").split(_BETWEEN) if text]
    if details.get("is_replay"):
        warnings.insert(0, f"REPLAY: the clock of these data stands at {details.get('as_of')}; nothing here is live.")
    dropped = details.get("dropped_indicators")
    if dropped and not any("close-only" in text.lower() for text in warnings):
        warnings.append(f"Close-only: without high and low there is no {str(dropped).replace(',', ', ')}.")
    return tuple(warnings)
