"""Judge crypto bars by their suite, write the report, and refuse bars that fail."""

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from MLOps.errors import FailedExpectationsError
from MLOps.market.crypto_bar_checks import Span, crypto_check_columns
from MLOps.market.crypto_bars import PRICES
from MLOps.settings.crypto_source import CryptoSymbol
from MLOps.vendors.great_expectations import Expectation, validate_table
from pipelines.data_ingestion.validation_report import told_findings, validation_report, write_report

_SHOWN = ("ticker", "day", *PRICES, "volume", "volume_usd")


def crypto_expectations(knows_volume_usd: bool) -> list[Expectation]:
    """The suite: completeness, prices, volume, one bar an interval, no gap that nobody looked at, no bar twice."""
    volumes = ("volume", "volume_usd") if knows_volume_usd else ("volume",)
    return [
        *(_is_known(name) for name in (*PRICES, *volumes)),
        *(_is_between(name, f"{name} is no positive, finite number", strict_min=True) for name in PRICES),
        *(_is_between(name, f"{name} is negative or infinite") for name in volumes),
        _holds("is_low_lowest", "low is above another price of the bar"),
        _holds("is_high_highest", "high is below another price of the bar"),
        Expectation("two bars open at the same time", "ExpectColumnValuesToBeUnique", {"column": "opened_at"}),
        _holds("is_on_grid", "the bar does not open on the grid of its length from midnight UTC on"),
        Expectation(
            "bars are missing before this one",
            "ExpectColumnValuesToBeBetween",
            {"column": "bars_missing_before", "min_value": 0, "max_value": 0},
        ),
        _holds("is_new", "another bar has the same prices and the same volume"),
    ]


def _is_known(column: str) -> Expectation:
    return Expectation(f"{column} is missing or no number", "ExpectColumnValuesToNotBeNull", {"column": column})


def _is_between(column: str, reason: str, strict_min: bool = False) -> Expectation:
    limits = {"min_value": 0, "max_value": sys.float_info.max, "strict_min": strict_min}
    return Expectation(reason, "ExpectColumnValuesToBeBetween", {"column": column, **limits})


def _holds(column: str, reason: str) -> Expectation:
    return Expectation(reason, "ExpectColumnValuesToBeInSet", {"column": column, "value_set": [True]})


def validate_crypto_bars(
    bars: pd.DataFrame, source: CryptoSymbol, as_of: date, max_reported_rows: int, report_folder: Path
) -> dict[str, Any]:
    """Judge `bars`, sorted by time, and write ``report.json`` and ``report.html`` into `report_folder`.

    Returns
    -------
    dict
        The report as in ``report.json``.

    Raises
    ------
    FailedExpectationsError
        If an expectation is not met; one line with the reasons and the first rows of each.
    """
    table = crypto_check_columns(bars, pd.Timedelta(source.bar_length), _spans(source))
    findings = validate_table(table, crypto_expectations(source.columns.volume_usd is not None))
    facts = {
        "as_of": as_of.isoformat(),
        "rows": len(table),
        "ticker": table["ticker"].iloc[0],
        "frequency": source.frequency,
        "first_bar": table["day"].iloc[0],
        "last_bar": table["day"].iloc[-1],
    }
    report = validation_report(table, findings, facts, _SHOWN, max_reported_rows)
    summary = "{ticker}, {frequency}: {rows} bars, {first_bar} to {last_bar} UTC".format(**facts)
    write_report(report, f"Crypto bars up to {as_of}", summary, report_folder)
    if failed := [finding for finding in findings if not finding.is_met]:
        raise FailedExpectationsError(
            f"bars fail {len(failed)} of {len(findings)} checks: {told_findings(table, failed)}",
            mend=f"the source; all rows are named in {report_folder / 'report.html'}",
            failed=len(failed),
        )
    return report


def _spans(source: CryptoSymbol) -> Sequence[Span]:
    return [(pd.Timestamp(span.first), pd.Timestamp(span.last)) for span in source.missing_spans]
