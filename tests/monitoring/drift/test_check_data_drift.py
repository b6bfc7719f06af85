"""The stage through its command line: what it finds, what it says, and how it ends."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps import errors
from MLOps.settings.project import project_root
from MLOps.stage import StageResult
from monitoring.drift.report import read_report
from monitoring.drift.verdict import Status

SMALL_WINDOWS = ("market.current_rows=40", "market.reference_rows=200", "past_sessions=5", "report_columns=0")
CURRENT = 40 * 2  # rows of the current window: 40 sessions of two tickers
Check = Callable[..., Any]
Spoil = Callable[[pd.DataFrame], pd.DataFrame]


def in_current(column: str, change: Callable[["pd.Series[Any]"], Any]) -> Spoil:
    """A spoiler of one column of the current window."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame[column]
        return frame.assign(**{column: pd.concat([values.iloc[:-CURRENT], change(values.iloc[-CURRENT:])])})

    return spoil


def in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """The index as text, with its unit in the current window."""
    words = frame["rsi_30"].astype(str)
    words.iloc[-CURRENT:] += " points"
    return frame.assign(rsi_30=words)


def of(ticker: str, column: str, value: float) -> Spoil:
    """A spoiler of one ticker's column: the same value all along the current window."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        spoiled = frame.copy()
        rows = spoiled.index[-CURRENT:][spoiled["tic"].iloc[-CURRENT:] == ticker]
        spoiled.loc[rows, column] = value
        return spoiled

    return spoil


def test_unchanged_features_do_not_drift(check: Check, features: pd.DataFrame) -> None:
    outcome = check(features)
    assert outcome.status == 0
    assert outcome.last_line.endswith("features: no drift: 0 of 7 columns drifted, drift is from 2 on")
    metrics = outcome.result["metrics"]
    assert (metrics["features.status"], metrics["features.drifted_fraction"]) == (0, 0)
    assert metrics["features.missing_fraction"] == 0
    assert metrics["features.checked_timestamp_seconds"] > 1.7e9
    assert {name for name in metrics if name.startswith("features.score.rsi_30.")} == {
        f"features.score.rsi_30.{method}" for method in ("psi", "jensenshannon", "wasserstein")
    }


def test_figures_leave_for_prometheus(check: Check, features: pd.DataFrame, workspace: Path) -> None:
    drifted = in_current("rsi_30", lambda values: values + 40)(features)
    check(drifted.rename(columns={"macd": "macd-12"}))
    told = (workspace / "reports" / "metrics" / "check_data_drift.prom").read_text()
    assert 'trading_drift_status{subject="features"} 1.0' in told
    assert 'trading_drift_column_score{column="rsi_30",method="wasserstein",subject="features"}' in told
    assert 'trading_drift_column_score{column="macd-12",method="psi",subject="features"}' in told
    for name in ("drifted_columns_ratio", "missing_values_ratio", "last_check_timestamp_seconds"):
        assert f'trading_drift_{name}{{subject="features"}}' in told


def test_windows_are_the_newest_sessions_and_those_before(check: Check, features: pd.DataFrame) -> None:
    (found,) = read_report(Path(check(features).result["folder"])).subjects
    days = features["date"].drop_duplicates().dt.date.astype(str).tolist()
    assert found.current is not None
    assert found.reference is not None
    assert (found.current.first, found.current.last, found.current.rows) == (days[-40], days[-1], 40)
    assert (found.reference.first, found.reference.last, found.reference.rows) == (days[-240], days[-41], 200)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            in_current("rsi_30", lambda values: values + 40),
            "columns drifted, drift is from 2 on: rsi_30.(AAA|BBB), rsi_30.",
        ),
        (of("AAA", "rsi_30", 50.0), r"far beyond the threshold .*: rsi_30.AAA \("),  # a stuck sensor
        (in_current("macd", lambda values: values * 100), r"far beyond the threshold .*macd.AAA \("),  # another unit
        (
            in_current("rsi_30", lambda values: values * np.nan),
            "missing values: rsi_30.AAA \\(100%, before 0%\\), rsi_30.BBB",
        ),
        (in_words, "missing values: rsi_30.AAA \\(100%"),
    ],
    ids=["mean", "stuck", "unit", "all_missing", "strings"],
)
def test_what_changed_is_drift_with_a_status_of_its_own(
    check: Check, features: pd.DataFrame, spoil: Spoil, told: str
) -> None:
    outcome = check(spoil(features))
    assert outcome.status == 10
    assert outcome.result["metrics"]["features.status"] == Status.DRIFT
    assert outcome.result["details"]["features.status"] == "drift"
    assert re.search(told, outcome.last_line)


def test_text_among_numbers_is_told(check: Check, features: pd.DataFrame) -> None:
    assert "rsi_30: 80 of 600 values are no numbers, first '" in check(in_words(features)).stderr


def test_constant_columns_do_not_drift(check: Check, features: pd.DataFrame) -> None:
    outcome = check(features.assign(rsi_30=50.0, macd=0.0))
    assert outcome.status == 0
    assert "no drift" in outcome.last_line


def test_column_without_any_value_is_told_and_not_judged(check: Check, features: pd.DataFrame) -> None:
    outcome = check(features.assign(rsi_30=np.nan))
    assert outcome.status == 0
    assert "columns without a value in the reference window: rsi_30" in outcome.stderr


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda frame: frame.iloc[:0], "current window: no rows; allowed: at least 20"),
        (lambda frame: frame.iloc[:14], "current window: 2 rows from 2019-01-09 to 2019-01-10; allowed: at least 20"),
        (lambda frame: frame.iloc[:12], "current window: 1 row from 2019-01-09 to 2019-01-09; allowed: at least 20"),
        (lambda frame: frame.iloc[:150], "reference window: 30 rows from"),
        (lambda frame: frame.assign(close=np.nan, rsi_30=np.nan, macd=np.nan, turbulence=np.nan), "no column has a"),
        (lambda frame: frame.drop(columns="tic"), "has no column"),
    ],
    ids=["empty", "two_rows", "one_row", "short_reference", "all_missing", "no_tickers"],
)
def test_what_cannot_be_checked_says_why(check: Check, features: pd.DataFrame, spoil: Spoil, told: str) -> None:
    outcome = check(spoil(features))
    assert outcome.status == 11
    assert "features: could not be checked: " in outcome.last_line
    assert told in outcome.last_line
    assert outcome.result["metrics"]["features.status"] == Status.NOT_CHECKED


def test_features_that_are_not_there_cannot_be_checked(check: Check) -> None:
    outcome = check(None)
    assert outcome.status == 11
    assert "processed_data_with_features.parquet does not exist" in outcome.last_line


def test_file_that_is_no_parquet_cannot_be_checked(check: Check, features: pd.DataFrame, workspace: Path) -> None:
    check(features)
    (workspace / "data/processed/processed_data_with_features.parquet").write_text("no table")
    assert check(None).status == 11


def test_columns_that_are_gone_are_drift_and_new_ones_are_told(
    check: Check, features: pd.DataFrame, workspace: Path
) -> None:
    features.to_parquet(workspace / "earlier.parquet")
    now = features.rename(columns={"rsi_30": "rsi_14"})
    outcome = check(now, "--reference_features_path", "earlier.parquet")
    assert outcome.status == 10
    assert "columns that are gone: rsi_30.AAA, rsi_30.BBB" in outcome.last_line
    assert "new columns, which nothing can be compared with: rsi_14.AAA, rsi_14.BBB" in outcome.stderr


def test_windows_without_a_common_column_cannot_be_compared(
    check: Check, features: pd.DataFrame, workspace: Path
) -> None:
    features[["date", "tic", "rsi_30"]].to_parquet(workspace / "earlier.parquet")
    outcome = check(features[["date", "tic", "macd"]], "--reference_features_path", "earlier.parquet")
    assert outcome.status == 11
    assert "no column in common" in outcome.last_line


def test_plan_takes_drift_and_what_cannot_be_checked_as_results(check: Check, features: pd.DataFrame) -> None:
    drifted = in_current("rsi_30", lambda values: values + 40)(features)
    outcome = check(drifted, "fail_on_drift=false")
    assert (outcome.status, outcome.result["details"]["features.status"]) == (0, "drift")
    outcome = check(features.iloc[:14], "fail_on_unchecked=false")
    assert (outcome.status, outcome.result["details"]["features.status"]) == (0, "not_checked")


def test_second_run_finds_the_first_ones_answer_and_ends_as_it_did(check: Check, features: pd.DataFrame) -> None:
    drifted = in_current("rsi_30", lambda values: values + 40)(features)
    first, second = check(drifted), check(None)
    assert (first.result["status"], second.result["status"]) == ("made", "already_made")
    assert first.status == second.status == 10
    assert first.result["artifacts"] == second.result["artifacts"]
    assert second.last_line.split(" ", 1)[1] == first.last_line.split(" ", 1)[1]


@pytest.mark.parametrize("first", ["plain", "named"])
def test_named_file_that_is_missing_makes_another_answer(check: Check, features: pd.DataFrame, first: str) -> None:
    named = ("--reference_features_path", "nowhere.parquet")
    if first == "plain":
        assert check(features).status == 0
    outcome = check(features, *named)
    assert outcome.status == 11
    assert "nowhere.parquet does not exist" in outcome.last_line
    assert check(features).status == 0


def test_one_column_of_the_largest_numbers_is_that_columns_fault(check: Check, features: pd.DataFrame) -> None:
    huge = features.assign(rsi_30=np.where(np.arange(len(features)) % 4 < 2, 1e308, -1e308))
    outcome = check(huge)
    assert outcome.status == 0
    assert "rsi_30: 600 of 600 values lie beyond 1e+150 and count as missing, first 1e+308" in outcome.stderr
    outcome = check(in_current("rsi_30", lambda values: values * 0 - 1e308)(features))
    assert outcome.status == 10
    assert "missing values: rsi_30.AAA (100%, before 0%)" in outcome.last_line


def test_statuses_are_no_errors() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PlatformError)
    ]
    assert not {10, 11} & {kind.exit_code for kind in kinds}


def test_nothing_to_check_is_a_fault_of_the_settings(check: Check, features: pd.DataFrame) -> None:
    outcome = check(features, "subjects=[news_scores,actions]")
    assert outcome.status == 2
    assert "none of them is there to be checked" in outcome.last_line
    assert outcome.result == {}


def test_equal_features_give_equal_figures_in_any_workspace(
    check: Check, features: pd.DataFrame, workspace: Path, tmp_path: Path
) -> None:
    first = check(features).result
    data = workspace / "data" / "processed" / "processed_data_with_features.parquet"
    elsewhere = check(None, "--workspace", str(tmp_path / "elsewhere"), "--features_path", str(data)).result
    assert elsewhere["folder"] != first["folder"]
    assert elsewhere["key"] == first["key"]
    assert elsewhere["artifacts"]["report"]["sha256"] == first["artifacts"]["report"]["sha256"]


def test_process_ends_with_the_status_of_drift(features: pd.DataFrame, workspace: Path) -> None:
    in_current("rsi_30", lambda values: values + 40)(features).to_parquet(workspace / "features.parquet")
    quiet = ["tracking.enabled=false", "registry.kind=filesystem", *SMALL_WINDOWS]
    argv = ["--workspace", str(workspace), "--features_path", "features.parquet", *quiet]
    script = project_root() / "monitoring" / "scripts" / "check_data_drift.py"
    ended = subprocess.run([sys.executable, script, *argv], capture_output=True, text=True, check=False)
    assert ended.returncode == 10, ended.stderr
    assert StageResult.model_validate_json(ended.stdout).details["features.status"] == "drift"
    assert "features: drift: 2 of 7 columns drifted, drift is from 2 on: rsi_30." in ended.stderr.splitlines()[-1]


@pytest.mark.slow
def test_evidently_draws_the_most_drifted_columns(check: Check, features: pd.DataFrame) -> None:
    drifted = in_current("rsi_30", lambda values: values + 40)(features)
    artifacts = check(drifted, "report_columns=2").result["artifacts"]
    page = Path(artifacts["report_features"]["path"]).read_text()
    assert "rsi_30.AAA" in page
    assert "rsi_30.BBB" in page
    assert "macd.AAA" not in page
