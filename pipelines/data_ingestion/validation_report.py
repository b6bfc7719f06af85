"""What a suite found in a table of bars, told in one line and kept as JSON and HTML.

A table has the columns ticker and day, which name a row; its further columns are shown beside them.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from MLOps.artifacts import write_text
from MLOps.vendors.great_expectations import Finding


def validation_report(
    table: pd.DataFrame, findings: Sequence[Finding], facts: Mapping[str, Any], shown: Sequence[str], max_rows: int
) -> dict[str, Any]:
    """Verdict, `facts` and what became of each check, with the `shown` columns of its first `max_rows` bad rows."""
    return {
        "is_passed": all(finding.is_met for finding in findings),
        **facts,
        "checks": [_check(table[list(shown)], finding, max_rows) for finding in findings],
    }


def write_report(report: Mapping[str, Any], title: str, summary: str, folder: Path) -> None:
    """Write ``report.json`` and ``report.html`` into `folder`."""
    write_text(folder / "report.json", json.dumps(report, indent=2) + "\n")
    write_text(folder / "report.html", _html(report, title, summary))


def told_findings(table: pd.DataFrame, findings: Sequence[Finding]) -> str:
    """One line: each reason with how often it holds and where first."""
    return "; ".join(
        f"{finding.reason} ({told_rows(table, finding) if finding.rows else finding.problem})" for finding in findings
    )


def told_rows(table: pd.DataFrame, finding: Finding) -> str:
    """How many rows break a check, and the first three of them."""
    first = table.iloc[list(finding.rows[:3])]
    named = ", ".join(f"{row.ticker} {row.day}" for row in first.itertuples())
    more = ", ..." if len(finding.rows) > 3 else ""
    return f"{len(finding.rows)} x: {named}{more}"


def _check(table: pd.DataFrame, finding: Finding, max_rows: int) -> dict[str, Any]:
    rows = table.iloc[list(finding.rows[:max_rows])]
    return {
        "fails_if": finding.reason,
        "expectation": finding.kind,
        "is_met": finding.is_met,
        "problem": finding.problem,
        "bad_rows": len(finding.rows),
        "rows": json.loads(rows.to_json(orient="records")),
    }


def _html(report: Mapping[str, Any], title: str, summary: str) -> str:
    verdict = "passed" if report["is_passed"] else "FAILED"
    lines = "".join(
        f"<tr class={'good' if check['is_met'] else 'bad'}><td>{'met' if check['is_met'] else 'FAILED'}</td>"
        f"<td>{escape(check['fails_if'])}</td><td>{check['bad_rows'] or escape(check['problem'])}</td></tr>"
        for check in report["checks"]
    )
    tables = "".join(
        f"<h2>{escape(check['fails_if'])}</h2>{pd.DataFrame(check['rows']).to_html(index=False, na_rep='missing')}"
        for check in report["checks"]
        if check["rows"]
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: {verdict}</title>
<style>body{{font-family:sans-serif;margin:2em}}table{{border-collapse:collapse}}
td,th{{border:1px solid #ccc;padding:.3em .6em;text-align:left}}.bad{{background:#fdd}}</style></head>
<body><h1>{escape(title)}: {verdict}</h1>
<p>{escape(summary)}</p>
<table><tr><th>Result</th><th>Fails if</th><th>Bad rows</th></tr>{lines}</table>{tables}</body></html>
"""
