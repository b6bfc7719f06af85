"""Judge bars by the suite, write the report, and refuse bars that fail."""

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from MLOps.errors import FailedExpectationsError, SourceUnavailableError
from MLOps.market.bar_checks import check_columns
from MLOps.market.bars import PRICES
from MLOps.settings.ingestion import ValidationSettings
from MLOps.vendors.great_expectations import Expectation, validate_table
from pipelines.data_ingestion.validation_report import told_findings, told_rows, validation_report, write_report

_LATE = "sessions are missing up to the date of the data"
_SHOWN = ("ticker", "day", *PRICES, "volume", "adjusted_close")


def bar_expectations(settings: ValidationSettings) -> list[Expectation]:
    """The suite: types, completeness, uniqueness, order, prices, volume, gaps, split-like jumps."""
    none_missing = {"min_value": 0, "max_value": settings.max_missing_sessions}
    return [
        *(_is_of_type(name, "float64") for name in (*PRICES, "volume", "adjusted_close", "dividend", "split_ratio")),
        _is_of_type("session", "datetime64[us]"),
        Expectation("the ticker is missing", "ExpectColumnValuesToNotBeNull", {"column": "ticker"}),
        Expectation("adjusted_close is missing", "ExpectColumnValuesToNotBeNull", {"column": "adjusted_close"}),
        *(_holds(f"is_{name}_known", f"{name} is missing") for name in (*PRICES, "volume")),
        Expectation(
            "duplicated session of a ticker",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": ["ticker", "session"]},
        ),
        _holds("is_after_previous", "the session is out of order within its ticker"),
        _holds("is_at_close", "the day is no session of the exchange, or the timestamp is not its close"),
        *(_is_positive(name) for name in (*PRICES, "adjusted_close", "split_ratio")),
        _holds("is_low_lowest", "low is above another price of the day"),
        _holds("is_high_highest", "high is below another price of the day"),
        *(_is_at_least_zero(name) for name in ("volume", "dividend")),
        _is_between("sessions_missing_before", "sessions are missing before this one", **none_missing),
        _is_between("sessions_missing_after", _LATE, **none_missing),
        _is_between("split_like_ratio", "the close jumps like an unadjusted split", min_value=0, max_value=0),
    ]


def _is_of_type(column: str, dtype: str) -> Expectation:
    return Expectation(f"{column} is not {dtype}", "ExpectColumnValuesToBeOfType", {"column": column, "type_": dtype})


def _holds(column: str, reason: str) -> Expectation:
    return Expectation(reason, "ExpectColumnValuesToBeInSet", {"column": column, "value_set": [True]})


def _is_between(column: str, reason: str, **limits: float) -> Expectation:
    return Expectation(reason, "ExpectColumnValuesToBeBetween", {"column": column, **limits})


def _is_positive(column: str) -> Expectation:
    arguments = {"column": column, "min_value": 0, "strict_min": True}
    return Expectation(f"{column} is not positive", "ExpectColumnValuesToBeBetween", arguments)


def _is_at_least_zero(column: str) -> Expectation:
    return _is_between(column, f"{column} is negative", min_value=0)


def validate_bars(
    bars: pd.DataFrame,
    calendar: str,
    as_of: date,
    settings: ValidationSettings,
    report_folder: Path,
    accepted_jumps: Collection[str] = (),
    publisher: str | None = None,
) -> dict[str, Any]:
    """Judge `bars` and write ``report.json`` and ``report.html`` into `report_folder`.

    Parameters
    ----------
    bars : DataFrame
        Bars in the source's own order.
    calendar : str
        Exchange calendar.
    as_of : date
        Last session that the bars should hold.
    settings : ValidationSettings
        Limits.
    report_folder : Path
        Where the report goes, whether the suite passes or not.
    accepted_jumps : collection of str
        Split-like jumps that were looked at.
    publisher : str, optional
        Network source of the bars, which may not have published the last sessions yet.

    Returns
    -------
    dict
        The report as in ``report.json``.

    Raises
    ------
    FailedExpectationsError
        If an expectation is not met; one line with the reasons and the first rows of each.
    SourceUnavailableError
        If a `publisher` is given and nothing but the last sessions is missing: a later try may find them.
    """
    table = check_columns(bars, calendar, as_of, settings.split_tolerance_fraction, accepted_jumps)
    findings = validate_table(table, bar_expectations(settings))
    report = validation_report(table, findings, _facts(table, as_of), _SHOWN, settings.max_reported_rows)
    write_report(report, f"Bars up to {as_of}", _summary(report), report_folder)
    failed = [finding for finding in findings if not finding.is_met]
    if publisher and [finding.reason for finding in failed] == [_LATE]:
        raise SourceUnavailableError(
            f"{publisher} does not have all bars up to {as_of} yet ({told_rows(table, failed[0])})",
            mend="try again later; a ticker that left the exchange must leave data.tickers",
        )
    if failed:
        raise FailedExpectationsError(
            f"bars fail {len(failed)} of {len(findings)} checks: {told_findings(table, failed)}",
            mend=f"the source; all rows are named in {report_folder / 'report.html'}",
            failed=len(failed),
        )
    return report


def _facts(table: pd.DataFrame, as_of: date) -> dict[str, Any]:
    return {
        "as_of": as_of.isoformat(),
        "rows": len(table),
        "tickers": sorted(map(str, table["ticker"].dropna().unique())),
        "first_session": str(table["day"].min()),
        "last_session": str(table["day"].max()),
    }


def _summary(report: dict[str, Any]) -> str:
    tickers = ", ".join(report["tickers"])
    return f"{report['rows']} rows, {tickers}, {report['first_session']} to {report['last_session']}"
