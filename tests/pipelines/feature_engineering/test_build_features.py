"""The stage: from bars on disk to a validated, versioned file, once, the same bytes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps import failpoints
from MLOps.artifacts import sha256_of
from MLOps.errors import DataError
from MLOps.market.bars import as_bars, write_bars
from MLOps.market.feature_expectations import feature_expectations
from MLOps.market.feature_table import FeatureTable
from MLOps.market.panel import read_panel
from MLOps.settings.features import FeatureSettings
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult
from MLOps.vendors.dvc import restore_data
from pipelines.feature_engineering import build_features as stage

Build = Callable[..., StageResult]
Done = Any  # of this folder's conftest.py
SettingsOf = Callable[..., FeatureSettings]
INDICATORS = ("macd", "boll_ub", "boll_lb", "rsi_30", "cci_30", "dx_30", "close_30_sma", "close_60_sma")


def test_makes_a_panel_that_agents_can_read(done: Done, bars: pd.DataFrame) -> None:
    result, published = done.result, done.workspace / "data/processed/processed_data_with_features.parquet"
    assert result.status == "made"
    assert set(result.inputs) == {"bars", "news"}
    assert published.resolve() == result.artifacts["features"].path
    panel = read_panel(published, (*INDICATORS, "sentiment", "has_news"))
    assert panel.tickers == ("AAA", "BBB", "CCC")
    assert len(panel.dates) == 140 - 61
    assert panel.features[..., -1].sum() == 2 * 3
    assert result.metrics["warm_up_sessions_dropped"] == 61
    assert result.metrics["sessions_with_news_fraction"] == pytest.approx(2 / 79)
    assert result.details["last_session"] == str(bars["session"].iloc[-1].date())
    assert result.details["dropped_indicators"] == ""


def test_the_second_run_finds_its_output(done: Done, build: Build) -> None:
    second = build(done.workspace)
    assert (second.status, second.artifacts) == ("already_made", done.result.artifacts)


def test_same_settings_and_data_give_the_same_bytes(done: Done, ingested: Path, build: Build) -> None:
    second = build(ingested)
    assert (second.status, second.key) == ("made", done.result.key)
    for name in ("features", "features_csv"):
        assert second.artifacts[name].sha256 == done.result.artifacts[name].sha256


def test_csv_and_parquet_hold_the_same_numbers(done: Done) -> None:
    published = done.workspace / "data/processed/processed_data_with_features"
    from_parquet, from_csv = (
        read_panel(published.with_suffix(suffix), (*INDICATORS, "has_news")) for suffix in (".parquet", ".csv")
    )
    assert from_parquet.tickers == from_csv.tickers
    for name in ("dates", "close", "features", "turbulence"):
        np.testing.assert_array_equal(getattr(from_parquet, name), getattr(from_csv, name))
    assert published.with_suffix(".csv").read_text().splitlines()[1].startswith("2018-04-02,AAA,")


@pytest.mark.parametrize("output_format", ["parquet", "csv"])
def test_writes_the_wanted_format_only(ingested: Path, output_format: str, build: Build) -> None:
    result = build(ingested, f"output_format={output_format}")
    assert [file.path.suffix for file in result.artifacts.values()] == [f".{output_format}"]


def test_other_bars_make_another_version_beside_the_old_one(
    done: Done, ingested: Path, bars: pd.DataFrame, build: Build
) -> None:
    shutil.copytree(done.workspace / "data/processed", ingested / "data/processed", symlinks=True)
    write_bars(bars[bars["session"] < bars["session"].iloc[-1]], ingested / "data/raw/two/bars")
    result = build(ingested, "bars_path=data/raw/two/bars")
    versions = {path.name for path in (ingested / "data/processed").glob("2018*")}
    assert versions == {done.result.folder.name, result.folder.name}
    assert result.folder.name.startswith(str(result.details["last_session"]))


def test_close_only_bars_say_what_is_missing(workspace: Path, bars: pd.DataFrame, build: Build) -> None:
    closes = bars.assign(is_close_only=True, **dict.fromkeys(("open", "high", "low", "close", "volume"), np.nan))
    write_bars(closes, workspace / "bars")
    result = build(workspace, "bars_path=bars", "news_path=null")
    assert result.details["dropped_indicators"] == "cci_30,dx_30"
    assert result.details["price_scale"] == "back-adjusted by the source"


def test_says_what_ingestion_said_of_the_bars(ingested: Path, build: Build) -> None:
    folder = ingested / "data/raw/one"
    told = {"source": "package_archive", "warnings": "survivorship", "is_replay": True, "series": "of no interest"}
    told_by = StageResult(stage="ingest_data", key="k", status="made", folder=folder, details=told)
    (folder / "result.json").write_text(told_by.model_dump_json())
    details = build(ingested).details
    assert (details["source"], details["warnings"], details["is_replay"]) == ("package_archive", "survivorship", True)
    assert "series" not in details


def test_equal_bars_of_another_origin_are_another_version(ingested: Path, build: Build) -> None:
    folder = ingested / "data/raw/one"

    def built(is_replay: bool) -> StageResult:
        told_by = StageResult(
            stage="ingest_data", key="k", status="made", folder=Path(), details={"is_replay": is_replay}
        )
        (folder / "result.json").write_text(told_by.model_dump_json())
        return build(ingested)

    live, replayed = built(is_replay=False), built(is_replay=True)
    assert (live.details["is_replay"], replayed.details["is_replay"]) == (False, True)
    assert live.folder != replayed.folder
    assert live.artifacts["features"].sha256 == replayed.artifacts["features"].sha256


def test_dvc_gives_deleted_features_back(ingested: Path, settings_of: SettingsOf) -> None:
    kept = settings_of(ingested, "versioning.enabled=true")
    result = stage.build_features(kept, MemoryTracker())
    features = result.artifacts["features"]
    shutil.rmtree(result.folder)
    assert stage.build_features(kept, MemoryTracker()).status == "already_made"
    assert sha256_of(features.path) == features.sha256
    features.path.write_bytes(b"altered")
    restore_data(str(result.details["dvc_md5"]), ingested, kept.versioning)
    assert sha256_of(features.path) == features.sha256


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename"])
def test_a_killed_run_is_made_good_by_the_next(
    done: Done, ingested: Path, die_at: Callable[..., None], point: failpoints.Point, build: Build
) -> None:
    die_at(point, lambda: build(ingested))
    processed = ingested / "data/processed"
    assert not (processed / "latest").exists(), "nothing is published by half"
    result = build(ingested)
    assert result.status == ("already_made" if point == "after_rename" else "made")
    assert result.artifacts["features"].sha256 == done.result.artifacts["features"].sha256
    assert {path.name for path in processed.iterdir()} == {path.name for path in done.result.folder.parent.iterdir()}


def test_broken_features_are_not_published(ingested: Path, monkeypatch: pytest.MonkeyPatch, build: Build) -> None:
    from MLOps.market import feature_table

    def broken(*arguments: object) -> FeatureTable:
        table = intact(*arguments)
        table.frame.loc[4, "rsi_30"] = 101.0
        table.frame.loc[7, "macd"] = np.inf
        return table

    intact = feature_table.build_table
    monkeypatch.setattr(feature_table, "build_table", broken)
    with pytest.raises(DataError, match=r"macd is finite: 1 rows.*rsi_30 is a percentage: 1 rows.*BBB on 2018-04-04"):
        build(ingested)
    assert not list((ingested / "data/processed").glob("2018*"))


def test_every_expectation_can_fail(bars: pd.DataFrame, workspace: Path, settings_of: SettingsOf) -> None:
    """One table that breaks all of them: no expectation is there for show."""
    from MLOps.market.feature_table import build_table
    from MLOps.vendors.great_expectations import validate_table

    vix = bars[bars["ticker"] == "AAA"].assign(ticker="^VIX")
    table = build_table(as_bars(pd.concat([bars, vix])), None, settings_of(workspace))
    suite = feature_expectations(table)
    assert all(finding.is_met for finding in validate_table(table.frame, suite))
    masks = ("has_news", "ticker_has_news")
    frame = table.frame.astype(dict.fromkeys(masks, object)).copy()
    numbers = [name for name in frame.columns if name not in ("date", "tic", *masks)]
    frame.loc[10] = None
    frame.loc[11, numbers] = np.inf
    frame.loc[12, numbers] = -np.inf
    for upper, lower in (("high", "low"), ("high", "open"), ("high", "close"), ("boll_ub", "boll_lb")):
        frame.loc[13, upper] = frame.loc[13, lower] - 1
    frame.loc[14, "low"] = frame.loc[14, "high"] + 1
    frame.loc[16] = frame.loc[15]
    frame = pd.concat([frame, frame.tail(1)], ignore_index=True)
    met = [finding.reason for finding in validate_table(frame, suite) if finding.is_met]
    assert met == []


def test_command_line_prints_its_result_last(ingested: Path, overrides: tuple[str, ...]) -> None:
    """A real process, as a person or a DAG starts it."""
    script = project_root() / "pipelines/feature_engineering/build_features.py"
    command = [sys.executable, str(script), "--workspace", str(ingested), "--output_format", "csv", *overrides]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])
    assert Path(result["artifacts"]["features"]["path"]).name == "processed_data_with_features.csv"
