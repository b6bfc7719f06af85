"""The stage: from bars on disk to a validated, versioned file, once, the same bytes, one clear line on bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from MLOps import failpoints
from MLOps.artifacts import sha256_of
from MLOps.errors import DataError
from MLOps.market.bars import as_bars, write_bars
from MLOps.market.feature_expectations import feature_expectations
from MLOps.market.feature_table import FeatureTable
from MLOps.market.news import as_news, write_news
from MLOps.market.panel import read_panel
from MLOps.settings.compose import compose_settings
from MLOps.settings.features import FeatureSettings
from MLOps.settings.project import project_root
from MLOps.stage import MemoryTracker, StageResult
from MLOps.vendors.dvc import restore_data
from pipelines.feature_engineering import build_features as stage

OVERRIDES = ["turbulence_window_sessions=60", "tracking.enabled=false", "versioning.enabled=false"]
INDICATORS = ("macd", "boll_ub", "boll_lb", "rsi_30", "cci_30", "dx_30", "close_30_sma", "close_60_sma")


@pytest.fixture(scope="session")
def bars(make_prices: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    prices = make_prices(sessions=140)
    closed_at = (prices["session"] + pd.Timedelta(hours=21)).dt.tz_localize("UTC")
    return as_bars(
        prices.assign(timestamp=closed_at, dividend=0.0, split_ratio=1.0, is_close_only=False, is_delisted=False)
    )


@pytest.fixture
def ingested(workspace: Path, bars: pd.DataFrame) -> Path:
    """A workspace in which ingestion has left bars and news."""
    write_bars(bars, workspace / "data/raw/one/bars")
    published = bars["timestamp"].unique()[[100, 120]] - pd.Timedelta(hours=1)
    articles = pd.DataFrame({"published_at": published, "is_date_only": False, "article_id": ["1", "2"]})
    news = as_news(articles.assign(title="t", text="", source="test"))
    write_news(news, workspace / "data/raw/one/news.parquet")
    (workspace / "data/raw/latest").symlink_to("one")
    return workspace


def settings(workspace: Path, *overrides: str) -> FeatureSettings:
    return compose_settings(FeatureSettings, "build_features", [*OVERRIDES, f"paths.workspace={workspace}", *overrides])


def run(workspace: Path, *overrides: str, flags: tuple[str, ...] = ()) -> int:
    return stage.main(["--workspace", str(workspace), *flags, *OVERRIDES, *overrides])


def test_makes_a_panel_that_agents_can_read(ingested: Path, bars: pd.DataFrame) -> None:
    tracker = MemoryTracker()
    result = stage.build_features(settings(ingested), tracker)
    assert result.status == "made"
    assert set(result.inputs) == {"bars", "news"}
    published = ingested / "data/processed/processed_data_with_features.parquet"
    assert published.resolve() == result.artifacts["features"].path
    panel = read_panel(published, (*INDICATORS, "sentiment", "has_news"))
    assert panel.tickers == ("AAA", "BBB", "CCC")
    assert len(panel.dates) == 140 - 61
    assert panel.features[..., -1].sum() == 2 * 3
    assert result.metrics["warm_up_sessions_dropped"] == 61
    assert result.metrics["sessions_with_news_fraction"] == pytest.approx(2 / 79)
    assert result.details["last_session"] == str(bars["session"].iloc[-1].date())
    assert result.details["dropped_indicators"] == ""


def test_the_second_run_finds_its_output(ingested: Path) -> None:
    first = stage.build_features(settings(ingested), MemoryTracker())
    second = stage.build_features(settings(ingested), MemoryTracker())
    assert (second.status, second.artifacts) == ("already_made", first.artifacts)


@pytest.mark.parametrize("output_format", ["parquet", "csv"])
def test_same_settings_and_data_give_the_same_bytes(ingested: Path, tmp_path: Path, output_format: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(ingested, elsewhere, symlinks=True)
    results = [
        stage.build_features(settings(place, f"output_format={output_format}"), MemoryTracker())
        for place in (ingested, elsewhere)
    ]
    assert results[0].key == results[1].key
    assert results[0].artifacts["features"].sha256 == results[1].artifacts["features"].sha256


def test_csv_and_parquet_hold_the_same_numbers(ingested: Path) -> None:
    for output_format in ("parquet", "csv"):
        stage.build_features(settings(ingested, f"output_format={output_format}"), MemoryTracker())
    folder = ingested / "data/processed"
    panels = [
        read_panel(next(folder.glob(f"2018*/*.{suffix}")), (*INDICATORS, "has_news")) for suffix in ("parquet", "csv")
    ]
    assert panels[0].tickers == panels[1].tickers
    for name in ("dates", "close", "features", "turbulence"):
        np.testing.assert_array_equal(getattr(panels[0], name), getattr(panels[1], name))
    first_line = next(folder.glob("2018*/*.csv")).read_text().splitlines()[1]
    assert first_line.startswith("2018-04-02,AAA,")


def test_other_bars_make_another_version(ingested: Path, bars: pd.DataFrame) -> None:
    first = stage.build_features(settings(ingested), MemoryTracker())
    longer = bars[bars["session"] < bars["session"].iloc[-1]]
    write_bars(longer, ingested / "data/raw/two/bars")
    second = stage.build_features(settings(ingested, "bars_path=data/raw/two/bars"), MemoryTracker())
    assert first.folder != second.folder
    assert first.folder.is_dir(), "the older version stays"
    assert second.folder.name.startswith(second.details["last_session"])


def test_works_without_news(ingested: Path) -> None:
    result = stage.build_features(settings(ingested, "news_path=null"), MemoryTracker())
    assert result.metrics["sessions_with_news_fraction"] == 0
    assert set(result.inputs) == {"bars"}


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


def test_dvc_gives_deleted_features_back(ingested: Path) -> None:
    kept = settings(ingested, "versioning.enabled=true")
    result = stage.build_features(kept, MemoryTracker())
    features = result.artifacts["features"]
    shutil.rmtree(result.folder)
    restore_data(str(result.details["dvc_md5"]), ingested, kept.versioning)
    assert sha256_of(features.path) == features.sha256
    assert stage.build_features(kept, MemoryTracker()).status == "already_made"


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
def test_a_killed_run_is_made_good_by_the_next(ingested: Path, tmp_path: Path, point: failpoints.Point) -> None:
    elsewhere = tmp_path / "undisturbed"
    shutil.copytree(ingested, elsewhere, symlinks=True)
    undisturbed = stage.build_features(settings(elsewhere), MemoryTracker())
    die_at(point, lambda: stage.build_features(settings(ingested), MemoryTracker()))
    processed = ingested / "data/processed"
    assert not (processed / "latest").exists(), "nothing is published by half"
    result = stage.build_features(settings(ingested), MemoryTracker())
    assert result.status == ("already_made" if point == "after_rename" else "made")
    assert result.artifacts["features"].sha256 == undisturbed.artifacts["features"].sha256
    assert {path.name for path in processed.iterdir()} == {
        path.name for path in (elsewhere / "data/processed").iterdir()
    }


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
    frame = table.frame.astype({"has_news": object}).copy()
    numbers = [name for name in frame.columns if name not in ("date", "tic", "has_news")]
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


def with_bars(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    """Lay changed bars in place of the good ones, unchecked."""

    def damage(workspace: Path) -> None:
        folder = workspace / "data/raw/one/bars"
        changed = change(pd.read_parquet(folder / "2018.parquet"))
        changed.to_parquet(folder / "2018.parquet", index=False)

    return damage


def empty_file(workspace: Path) -> None:
    (workspace / "data/raw/one/bars/2018.parquet").write_bytes(b"")


def no_bars(workspace: Path) -> None:
    shutil.rmtree(workspace / "data/raw/one/bars")


def no_news_file(workspace: Path) -> None:
    (workspace / "data/raw/one/news.parquet").unlink()


def set_nan(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    frame.loc[5, column] = np.nan
    return frame


BAD_BARS: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing file": (no_bars, "holds no bars"),
    "missing news": (no_news_file, "news.parquet does not exist"),
    "empty file": (empty_file, "is not a Parquet file"),
    "no rows": (with_bars(lambda frame: frame.iloc[:0]), "no rows"),
    "wrong columns": (with_bars(lambda frame: frame.drop(columns="adjusted_close")), "no column adjusted_close"),
    "NaN adjusted close": (with_bars(lambda frame: set_nan(frame, "adjusted_close")), "missing adjusted_close"),
    "NaN close": (with_bars(lambda frame: set_nan(frame, "close")), "close of CCC on 2018-01-03 is nan"),
    "NaN high": (with_bars(lambda frame: set_nan(frame, "high")), "high of CCC on 2018-01-03 is nan"),
    "duplicated dates": (with_bars(lambda frame: pd.concat([frame, frame.tail(1)])), "duplicated row"),
    "unordered dates": (with_bars(lambda frame: frame.iloc[::-1]), "row out of order"),
    "missing row": (with_bars(lambda frame: frame.drop(index=100)), "BBB has no bar on 2018-02-20"),
}


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == "", "no result is printed"
    return captured.err.splitlines()[-1]


@pytest.mark.parametrize(("damage", "message"), BAD_BARS.values(), ids=BAD_BARS.keys())
def test_bad_bars_end_in_one_clear_line(
    ingested: Path, damage: Callable[[Path], None], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(ingested)
    assert run(ingested) == DataError.exit_code
    assert message in last_line(capsys)
    assert not list((ingested / "data/processed").glob("*")) or not (ingested / "data/processed/latest").exists()


BAD_SETTINGS = {
    "unknown indicator": ("indicators=[macd,rsi_31]", 2, "rsi_31"),
    "indicator named twice": ("indicators=[macd,macd]", 2, "twice"),
    "unknown key": ("indicatoren=[macd]", 2, "indicatoren: unknown key"),
    "out of range": ("turbulence_window_sessions=5", 2, "turbulence_window_sessions=5"),
    "unknown format": ("output_format=xlsx", 2, "output_format='xlsx'"),
    "unknown time zone": ("exchange_timezone=Mars/Olympus", 2, "IANA"),
    "unknown ticker": ("tickers=[AAA,ZZZ]", 3, "unknown ticker ZZZ; allowed: AAA, BBB, CCC"),
    "window without data": ("first_session='2031-01-01'", 3, "between 2031-01-01 and 2018-07-23"),
    "too short for the warm-up": ("last_session='2018-02-01'", 3, "more than 61"),
}


@pytest.mark.parametrize(("override", "code", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_bad_settings_end_in_one_clear_line(
    ingested: Path, override: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ingested, override) == code
    assert message in last_line(capsys)


def test_unknown_indicator_in_a_yaml_file_names_the_file(
    ingested: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("indicators: [macd, moon_phase]\n")
    assert run(ingested, flags=("--global_config_path", str(path))) == 2
    line = last_line(capsys)
    assert "moon_phase" in line
    assert "mine.yaml" in line
