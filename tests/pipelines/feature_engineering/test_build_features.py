"""The stage: from bars on disk to a validated, versioned file, once, the same bytes, one clear line on bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps import failpoints
from MLOps.artifacts import sha256_of
from MLOps.errors import DataError
from MLOps.market.bars import as_bars, write_bars
from MLOps.market.data_warnings import data_warnings
from MLOps.market.feature_expectations import feature_expectations
from MLOps.market.feature_table import FeatureTable
from MLOps.market.news_scores import write_scores
from MLOps.market.panel import read_panel
from MLOps.settings.compose import compose_settings
from MLOps.settings.features import FeatureSettings
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult
from MLOps.vendors.dvc import restore_data
from pipelines.feature_engineering import build_features as stage

OVERRIDES = ["turbulence_window_sessions=60", "tracking.enabled=false", "versioning.enabled=false"]
INDICATORS = ("macd", "boll_ub", "boll_lb", "rsi_30", "cci_30", "dx_30", "close_30_sma", "close_60_sma")


@dataclass(frozen=True)
class Done:
    workspace: Path
    result: StageResult


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, lay_down: Callable[[Path], Path]) -> Done:
    """A run that nothing disturbed; its workspace is only read."""
    workspace = lay_down(tmp_path_factory.mktemp("done"))
    return Done(workspace, stage.build_features(settings(workspace), MemoryTracker()))


def settings(workspace: Path, *overrides: str) -> FeatureSettings:
    return compose_settings(FeatureSettings, "build_features", [*OVERRIDES, f"paths.workspace={workspace}", *overrides])


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


def test_the_second_run_finds_its_output(done: Done) -> None:
    second = stage.build_features(settings(done.workspace), MemoryTracker())
    assert (second.status, second.artifacts) == ("already_made", done.result.artifacts)


def test_same_settings_and_data_give_the_same_bytes(done: Done, ingested: Path) -> None:
    second = stage.build_features(settings(ingested), MemoryTracker())
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
def test_writes_the_wanted_format_only(ingested: Path, output_format: str) -> None:
    result = stage.build_features(settings(ingested, f"output_format={output_format}"), MemoryTracker())
    assert [file.path.suffix for file in result.artifacts.values()] == [f".{output_format}"]


def test_other_bars_make_another_version_beside_the_old_one(done: Done, ingested: Path, bars: pd.DataFrame) -> None:
    shutil.copytree(done.workspace / "data/processed", ingested / "data/processed", symlinks=True)
    write_bars(bars[bars["session"] < bars["session"].iloc[-1]], ingested / "data/raw/two/bars")
    result = stage.build_features(settings(ingested, "bars_path=data/raw/two/bars"), MemoryTracker())
    versions = {path.name for path in (ingested / "data/processed").glob("2018*")}
    assert versions == {done.result.folder.name, result.folder.name}
    assert result.folder.name.startswith(str(result.details["last_session"]))


def test_works_without_news(ingested: Path) -> None:
    result = stage.build_features(settings(ingested, "news_path=null"), MemoryTracker())
    assert result.metrics["sessions_with_news_fraction"] == 0
    assert set(result.inputs) == {"bars"}


SCORES = "scores_path=data/scores/scores.parquet"


def test_scores_become_the_sentiment_of_the_market_and_of_the_named_company(scored: Path) -> None:
    result = stage.build_features(settings(scored, SCORES), MemoryTracker())
    assert set(result.inputs) == {"bars", "news", "scores"}
    panel = read_panel(
        result.artifacts["features"].path, ("sentiment", "has_news", "ticker_sentiment", "ticker_has_news")
    )
    first, second = 100 - 61, 120 - 61  # sessions whose closes the articles came shortly before
    assert (panel.features[:first] == 0).all()
    assert (panel.features[first:, :, 0] > 0).all()
    assert panel.features[[first, second], 0, 1].tolist() == [1, 1]
    assert np.sign(panel.features[first, :, 2]).tolist() == [0, -1, 0]
    assert panel.features[..., 3].nonzero() == (np.array([first]), np.array([1]))
    assert result.metrics["ticker_sessions_with_news_fraction"] == pytest.approx(1 / (79 * 3))
    assert result.details["sessions_with_news"] == "2 of 79"
    assert result.details["sentiment_model_sha256"] == "c0ffee"


def test_news_without_scores_leave_the_sentiment_at_0(done: Done) -> None:
    features = read_panel(done.result.artifacts["features"].path, ("sentiment", "ticker_sentiment")).features
    assert (features == 0).all()
    assert "sentiment_model_sha256" not in done.result.details


def told_by_scoring(folder: Path, **told: Any) -> None:
    """Lay down what the stage that scored the news said."""
    result = StageResult(stage="score_news", key="k", status="made", folder=folder, **told)
    (folder / "result.json").write_text(result.model_dump_json())


def test_says_what_scoring_said_of_its_model(scored: Path) -> None:
    told_by_scoring(scored / "data/raw/one", details={"warnings": "survivorship"})
    told = {"model_kind": "vader", "model_version": 3, "warnings": "general lexicon", "engine": "of no interest"}
    told_by_scoring(scored / "data/scores", details=told)
    result = stage.build_features(settings(scored, SCORES), MemoryTracker())
    assert (result.details["sentiment_model_kind"], result.details["sentiment_model_version"]) == ("vader", 3)
    assert "engine" not in " ".join(result.details)
    survivorship, general, news = data_warnings(result.details)
    assert (survivorship, general) == ("survivorship", "general lexicon")
    assert news.startswith("News: 2 of 79 sessions have any, scored by vader (c0ffee)")
    told_by_scoring(scored / "data/scores", details=told | {"warnings": "another"})
    assert stage.build_features(settings(scored, SCORES), MemoryTracker()).key != result.key


def test_tells_articles_that_have_no_score(
    scored: Path, make_scores: Callable[..., pd.DataFrame], caplog: pytest.LogCaptureFixture
) -> None:
    assert "articles_without_score" not in stage.build_features(settings(scored, SCORES), MemoryTracker()).details
    write_scores(make_scores().head(2), scored / "data/scores/scores.parquet")
    details = stage.build_features(settings(scored, SCORES), MemoryTracker()).details
    assert details["articles_without_score"] == "1 of 2"
    assert "1 of 2 articles have no score" in caplog.text


def test_tells_tickers_of_which_the_scoring_knows_no_name(
    done: Done, scored: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "tickers_without_names" not in done.result.details, "without scores no ticker has news"
    known = "companies.apple.tickers=[AAA,CCC]"
    details = stage.build_features(settings(scored, SCORES, known), MemoryTracker()).details
    assert details["tickers_without_names"] == "BBB"
    assert "no names of BBB: no news will be theirs" in caplog.text
    known = "companies.apple.tickers=[AAA,BBB,CCC]"
    assert "tickers_without_names" not in stage.build_features(settings(scored, SCORES, known), MemoryTracker()).details


def test_refuses_scores_of_other_news_or_of_several_models(
    scored: Path, make_scores: Callable[..., pd.DataFrame]
) -> None:
    told_by_scoring(scored / "data/scores", inputs={"news": "another digest"})
    with pytest.raises(DataError, match=r"scores.parquet was made of other news than .*news.parquet"):
        stage.build_features(settings(scored, SCORES), MemoryTracker())
    told_by_scoring(scored / "data/scores", inputs={"news": sha256_of(scored / "data/raw/one/news.parquet")})
    assert stage.build_features(settings(scored, SCORES), MemoryTracker()).status == "made"
    mixed = pd.concat([make_scores().head(1), make_scores("decaf").tail(1)])
    write_scores(mixed, scored / "data/scores/scores.parquet")
    with pytest.raises(DataError, match="scores of 2 models"):
        stage.build_features(settings(scored, SCORES), MemoryTracker())


def test_close_only_bars_say_what_is_missing(workspace: Path, bars: pd.DataFrame) -> None:
    closes = bars.assign(is_close_only=True, **dict.fromkeys(("open", "high", "low", "close", "volume"), np.nan))
    write_bars(closes, workspace / "bars")
    result = stage.build_features(settings(workspace, "bars_path=bars", "news_path=null"), MemoryTracker())
    assert result.details["dropped_indicators"] == "cci_30,dx_30"
    assert result.details["price_scale"] == "back-adjusted by the source"


def test_says_what_ingestion_said_of_the_bars(ingested: Path) -> None:
    folder = ingested / "data/raw/one"
    told = {"source": "package_archive", "warnings": "survivorship", "is_replay": True, "series": "of no interest"}
    told_by = StageResult(stage="ingest_data", key="k", status="made", folder=folder, details=told)
    (folder / "result.json").write_text(told_by.model_dump_json())
    details = stage.build_features(settings(ingested), MemoryTracker()).details
    assert (details["source"], details["warnings"], details["is_replay"]) == ("package_archive", "survivorship", True)
    assert "series" not in details


def test_equal_bars_of_another_origin_are_another_version(ingested: Path) -> None:
    folder = ingested / "data/raw/one"

    def built(is_replay: bool) -> StageResult:
        told_by = StageResult(
            stage="ingest_data", key="k", status="made", folder=Path(), details={"is_replay": is_replay}
        )
        (folder / "result.json").write_text(told_by.model_dump_json())
        return stage.build_features(settings(ingested), MemoryTracker())

    live, replayed = built(is_replay=False), built(is_replay=True)
    assert (live.details["is_replay"], replayed.details["is_replay"]) == (False, True)
    assert live.folder != replayed.folder
    assert live.artifacts["features"].sha256 == replayed.artifacts["features"].sha256


def test_dvc_gives_deleted_features_back(ingested: Path) -> None:
    kept = settings(ingested, "versioning.enabled=true")
    result = stage.build_features(kept, MemoryTracker())
    features = result.artifacts["features"]
    shutil.rmtree(result.folder)
    assert stage.build_features(kept, MemoryTracker()).status == "already_made"
    assert sha256_of(features.path) == features.sha256
    features.path.write_bytes(b"altered")
    restore_data(str(result.details["dvc_md5"]), ingested, kept.versioning)
    assert sha256_of(features.path) == features.sha256


def die_at(point: failpoints.Point, run_it: Callable[[], object]) -> None:
    """Let a copy of this process work until `point`, and kill it there."""
    child = os.fork()
    if child == 0:
        failpoints.arm(point, lambda: os.kill(os.getpid(), signal.SIGKILL))
        try:
            run_it()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@pytest.mark.parametrize("point", ["before_write", "before_rename", "after_rename"])
def test_a_killed_run_is_made_good_by_the_next(done: Done, ingested: Path, point: failpoints.Point) -> None:
    die_at(point, lambda: stage.build_features(settings(ingested), MemoryTracker()))
    processed = ingested / "data/processed"
    assert not (processed / "latest").exists(), "nothing is published by half"
    result = stage.build_features(settings(ingested), MemoryTracker())
    assert result.status == ("already_made" if point == "after_rename" else "made")
    assert result.artifacts["features"].sha256 == done.result.artifacts["features"].sha256
    assert {path.name for path in processed.iterdir()} == {path.name for path in done.result.folder.parent.iterdir()}


def test_broken_features_are_not_published(ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from MLOps.market import feature_table

    def broken(*arguments: object) -> FeatureTable:
        table = intact(*arguments)
        table.frame.loc[4, "rsi_30"] = 101.0
        table.frame.loc[7, "macd"] = np.inf
        return table

    intact = feature_table.build_table
    monkeypatch.setattr(feature_table, "build_table", broken)
    with pytest.raises(DataError, match=r"macd is finite: 1 rows.*rsi_30 is a percentage: 1 rows.*BBB on 2018-04-04"):
        stage.build_features(settings(ingested), MemoryTracker())
    assert not list((ingested / "data/processed").glob("2018*"))


def test_every_expectation_can_fail(bars: pd.DataFrame, workspace: Path) -> None:
    """One table that breaks all of them: no expectation is there for show."""
    from MLOps.market.feature_table import build_table
    from MLOps.vendors.great_expectations import validate_table

    vix = bars[bars["ticker"] == "AAA"].assign(ticker="^VIX")
    table = build_table(as_bars(pd.concat([bars, vix])), None, settings(workspace))
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


def test_command_line_prints_its_result_last(ingested: Path) -> None:
    """A real process, as a person or a DAG starts it."""
    script = project_root() / "pipelines/feature_engineering/build_features.py"
    command = [sys.executable, str(script), "--workspace", str(ingested), "--output_format", "csv", *OVERRIDES]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])
    assert Path(result["artifacts"]["features"]["path"]).name == "processed_data_with_features.csv"
