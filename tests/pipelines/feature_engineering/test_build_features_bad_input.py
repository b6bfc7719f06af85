"""Bad input: one clear line, the exit status of its kind, nothing published."""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError, StorageError
from pipelines.feature_engineering import build_features as stage

OVERRIDES = ["turbulence_window_sessions=60", "tracking.enabled=false", "versioning.enabled=false"]


def run(workspace: Path, *overrides: str, flags: tuple[str, ...] = ()) -> int:
    return stage.main(["--workspace", str(workspace), *flags, *OVERRIDES, *overrides])


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
    assert not list((ingested / "data").glob("processed/*"))


BAD_SETTINGS = {
    "unknown indicator": ("indicators=[macd,rsi_31]", 2, "rsi_31"),
    "indicator named twice": ("indicators=[macd,macd]", 2, "twice"),
    "unknown key": ("indicatoren=[macd]", 2, "indicatoren: unknown key"),
    "out of range": ("turbulence_window_sessions=5", 2, "turbulence_window_sessions=5"),
    "unknown format": ("output_format=xlsx", 2, "output_format='xlsx'"),
    "unknown time zone": ("exchange_timezone=Mars/Olympus", 2, "IANA"),
    "unknown ticker": ("tickers=[AAA,ZZZ]", 3, "unknown ticker ZZZ; allowed: AAA, BBB, CCC"),
    "window without data": ("first_session='2031-01-01'", 3, "between 2031-01-01 and 2018-07-23"),
    "scores without news": ("news_path=null scores_path=scores.parquet", 2, "scores_path needs news_path"),
    "missing scores": ("scores_path=scores.parquet", 3, "scores.parquet does not exist"),
    "a half-life of nothing": ("sentiment.half_life_hours=0", 2, "sentiment.half_life_hours=0"),
    "no prior": ("sentiment.prior_articles=0", 2, "sentiment.prior_articles=0"),
    "too short for the warm-up": ("last_session='2018-02-01'", 3, "more than 61"),
}


@pytest.mark.parametrize(("override", "code", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_bad_settings_end_in_one_clear_line(
    ingested: Path, override: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ingested, *override.split()) == code
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


def test_a_full_disk_ends_in_one_clear_line(
    ingested: Path, in_copy: Callable[[Callable[[], object]], int], capfd: pytest.CaptureFixture[str]
) -> None:
    """No file may grow beyond what a full disk would leave; in a copy of this process, whose limits end with it."""

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        return run(ingested)

    assert in_copy(work) == StorageError.exit_code
    assert "the disk is full" in capfd.readouterr().err.splitlines()[-1]
    assert not list((ingested / "data/processed").iterdir())
