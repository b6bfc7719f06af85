"""The one door to Great Expectations: judge a table by named expectations.

The library takes seconds to import and asks a server for its settings unless told not to; both are
dealt with here.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult


@dataclass(frozen=True)
class Expectation:
    """One expectation.

    Attributes
    ----------
    reason : str
        What it means, in words for the report.
    kind : str
        Class name in ``great_expectations.expectations``.
    arguments : mapping
        Its arguments.
    """

    reason: str
    kind: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """What became of one expectation; `rows` are positions in the table of rows that broke it."""

    reason: str
    kind: str
    is_met: bool
    rows: tuple[int, ...]
    problem: str = ""


def validate_table(table: pd.DataFrame, expectations: Sequence[Expectation]) -> list[Finding]:
    """Judge `table` by all `expectations`, in their order."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations import expectations as kinds
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch(
        {"dataframe": table.reset_index(drop=True).rename_axis("row").reset_index()}
    )
    suite = gx.ExpectationSuite(
        "table",
        expectations=[
            getattr(kinds, one.kind)(**one.arguments, meta={"position": position})
            for position, one in enumerate(expectations)
        ],
    )
    answer = batch.validate(
        suite, result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["row"]}
    )
    results = sorted(answer.results, key=_position)
    return [_finding(one, result) for one, result in zip(expectations, results, strict=True)]


def _position(result: "ExpectationValidationResult") -> int:
    config = result.expectation_config
    assert config is not None
    return int((config.meta or {})["position"])


def _finding(expectation: Expectation, result: "ExpectationValidationResult") -> Finding:
    entries = result.result.get("unexpected_index_list") or []
    return Finding(
        reason=expectation.reason,
        kind=expectation.kind,
        is_met=bool(result.success),
        rows=tuple(sorted(int(entry["row"]) for entry in entries)),
        problem="" if result.success or entries else _problem(result),
    )


def _problem(result: "ExpectationValidationResult") -> str:
    """Why an expectation failed that names no row: an error of its own, or what was observed."""
    info = result.exception_info or {}
    for entry in [info, *(value for value in info.values() if isinstance(value, dict))]:
        if entry.get("exception_message"):
            return str(entry["exception_message"])
    return f"observed {result.result.get('observed_value')}"
