"""Bad input ends with one clear line, a non-zero status and nothing half-written."""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from model_registry.champion import ensure_champion
from model_registry.family import SENTIMENT
from model_registry.filesystem_registry import FilesystemRegistry
from pipelines.rl_agent import train_rl_agent as stage

CommandLine = Callable[..., list[str]]
FEATURES = "data/processed/processed_data_with_features.parquet"


def fails(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Status and the one line."""
    status = stage.main(argv)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if "train_rl_agent:" in line]
    assert len(lines) == 1, captured.err
    return status, lines[0]


def nan_close(frame: pd.DataFrame) -> pd.DataFrame:
    changed = frame.copy()
    changed.loc[5, "close"] = float("nan")
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.iloc[:0], "holds no rows"),
        (lambda frame: frame.drop(columns="rsi_30"), "lacks the columns ['rsi_30']"),
        (nan_close, "close of BBB on 2021-01-06 is nan"),
        (lambda frame: pd.concat([frame, frame.tail(1)]), "has 2021-05-07 twice"),
        (lambda frame: frame.iloc[::-1], "comes after"),
    ],
)
def test_bad_features_are_told(
    change: Callable[[pd.DataFrame], pd.DataFrame],
    message: str,
    features: pd.DataFrame,
    prepared: Path,
    command_line: CommandLine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(features).to_parquet(prepared / FEATURES)
    status, line = fails(command_line(prepared), capsys)
    assert status == 3
    assert message in line
    assert not (prepared / "models").exists()


def test_a_missing_file_is_told_with_those_that_are_there(
    prepared: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    (prepared / FEATURES).unlink()
    status, line = fails(command_line(prepared), capsys)
    assert status == 3
    assert "processed_data_with_features.parquet does not exist" in line
    assert "holds processed_data_with_features.csv" in line


def test_an_empty_file_is_told(prepared: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    (prepared / FEATURES).write_bytes(b"")
    status, line = fails(command_line(prepared), capsys)
    assert status == 3
    assert "cannot be read" in line


@pytest.mark.parametrize(
    ("override", "status", "message"),
    [
        ("agent.hyperparameters.gamma=1.5", 2, "gamma=1.5"),
        ("agent.hyperparameters.gama=0.9", 2, "gama: unknown key"),
        ("environment.tickers=[AAA,ZZZ]", 3, "holds no ticker ZZZ"),
        ("split.train_start=2030-01-01", 3, "leave 0 to train on"),
        ("split.minimum_train_sessions=500", 3, "leave 60 to train on"),
        (
            "environment.windows=[{first: 2021-01-04, last: 2021-03-29}]",
            3,
            "2021-01-04 to 2021-03-29 is not within the training window; allowed: dates from 2021-01-04 to 2021-03-26",
        ),
        ("features_path=nowhere.parquet", 3, "nowhere.parquet does not exist"),
    ],
)
def test_bad_settings_are_told(
    override: str,
    status: int,
    message: str,
    prepared: Path,
    command_line: CommandLine,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given, line = fails(command_line(prepared, override), capsys)
    assert given == status
    assert message in line
    assert not list((prepared / "models").glob("2*"))


def test_an_unknown_key_of_the_agent_file_names_the_file(
    prepared: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("defaults:\n  - /sb3/ppo@hyperparameters\n  - _self_\nlibrary: sb3\nalgorithm: ppo\nspeed: 9\n")
    status, line = fails(["--agent_params_path", str(file), *command_line(prepared)], capsys)
    assert status == 2
    assert "speed: unknown key" in line
    assert "mine.yaml" in line


def test_a_missing_agent_file_is_told(
    prepared: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = fails(["--agent_params_path", "nowhere.yaml", *command_line(prepared)], capsys)
    assert status == 2
    assert "nowhere.yaml does not exist" in line


def test_the_registered_name_of_sentiment_models_is_refused(
    prepared: Path, command_line: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = FilesystemRegistry(prepared / "models" / "registry")
    lexicon = ensure_champion(registry, "sentiment", SENTIMENT)
    status, line = fails(command_line(prepared, "registry.model_name=sentiment"), capsys)
    assert status == 6
    assert "sentiment version 1" in line
    assert "is of kind vader" in line
    assert registry.versions("sentiment") == (lexicon,)
    assert registry.aliases("sentiment") == {"sentiment_champion": 1}


def test_a_full_disk_is_told(prepared: Path, command_line: CommandLine, tmp_path: Path) -> None:
    argv, told = command_line(prepared), tmp_path / "stderr.txt"
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        with told.open("w") as sys.stderr:
            status = stage.main(argv)
        os._exit(status)
    _, status = os.waitpid(child, 0)
    line = told.read_text().splitlines()[-1]
    assert os.waitstatus_to_exitcode(status) == 5, line
    assert "the disk is full" in line
    assert not list((prepared / "models").glob("2*"))
