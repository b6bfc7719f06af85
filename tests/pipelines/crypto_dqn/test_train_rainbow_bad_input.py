"""Bad input ends with one clear line, a non-zero status and nothing half-written."""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.trading_batch import Step
from model_registry.champion import ensure_champion
from model_registry.family import SENTIMENT
from model_registry.filesystem_registry import FilesystemRegistry
from pipelines.crypto_dqn import train_rainbow as stage

CommandLine = Callable[..., list[str]]
Change = Callable[[pd.DataFrame], pd.DataFrame]
BARS = "data/crypto/btc/bars.parquet"
MODELS = "models/crypto_timing"


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], tuple[int, str]]:
    """``fails(argv)``: status and the one line."""

    def run(argv: list[str]) -> tuple[int, str]:
        status = stage.main(argv)
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = [line for line in captured.err.splitlines() if "train_rainbow:" in line]
        return status, line

    return run


Fails = Callable[[list[str]], tuple[int, str]]


def zero_close(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.assign(close=bars["close"].mask(bars.index == 7, 0.0), low=bars["low"].mask(bars.index == 7, 0.0))


def without_every_tenth(bars: pd.DataFrame) -> pd.DataFrame:
    """Between two gaps nine hours: fewer than the 13 that window and cycle take."""
    return bars[bars.index % 10 != 0]


def without_validation(bars: pd.DataFrame) -> pd.DataFrame:
    return bars[(bars["timestamp"] < "2018-01-16T06:00Z") | (bars["timestamp"] > "2018-01-20T20:00Z")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda bars: bars.iloc[:0], "no rows"),
        (lambda bars: bars.iloc[:12], "train holds 12 bars of BTC (1h), gaps among them: 0"),
        (lambda bars: bars.iloc[:365], "validation holds 5 bars of BTC (1h)"),
        (lambda bars: bars.iloc[:470], "test holds 0 bars of BTC (1h)"),
        (without_every_tenth, "gaps among them: 3"),
        (without_validation, "validation holds 9 bars of BTC (1h), gaps among them: 1"),
        (zero_close, "1 x price that is missing or not positive, first BTC at 2018-01-01 07:00"),
        (lambda bars: bars.drop(columns="close"), "close"),
        (lambda bars: bars.iloc[::-1], "out of order"),
        (lambda bars: bars.assign(ticker="ETH"), "holds ETH, not BTC"),
    ],
)
def test_bad_bars_are_told(
    change: Change,
    message: str,
    workspace: Path,
    make_crypto_bars: Callable[..., pd.DataFrame],
    command_line: CommandLine,
    fails: Fails,
) -> None:
    path = workspace / BARS
    path.parent.mkdir(parents=True)
    change(make_crypto_bars(count=720)).to_parquet(path, index=False)
    status, line = fails(command_line(workspace))
    assert status == 3
    assert message in line
    assert not (workspace / MODELS).exists()


def test_missing_bars_are_told_with_what_makes_them(workspace: Path, command_line: CommandLine, fails: Fails) -> None:
    status, line = fails(command_line(workspace))
    assert status == 3
    assert "bars.parquet does not exist" in line
    assert "ingest_crypto_bars.py --symbol BTC" in line


def test_a_file_that_is_no_parquet_is_told(prepared: Path, command_line: CommandLine, fails: Fails) -> None:
    (prepared / BARS).write_bytes(b"close\n100\n")
    status, line = fails(command_line(prepared))
    assert status == 3
    assert "crypto bars with timestamp, opened_at" in line


def test_bars_of_one_coin_do_not_serve_another(prepared: Path, command_line: CommandLine, fails: Fails) -> None:
    argv = command_line(prepared, "data=eth", f"--bars_path={BARS}", "data.cycle_steps=7")
    status, line = fails(argv)
    assert status == 3
    assert "holds BTC, not ETH" in line
    assert not (prepared / MODELS).exists()


def test_hours_asked_of_daily_bars_are_told(
    workspace: Path,
    lay_down: Callable[..., Path],
    make_crypto_bars: Callable[..., pd.DataFrame],
    command_line: CommandLine,
    fails: Fails,
) -> None:
    lay_down(workspace, make_crypto_bars(length="1D"))
    status, line = fails(command_line(workspace, "data.frequency=1h"))
    assert status == 3
    assert "data.frequency=1h of BTC, whose bars last one day; allowed: 1d" in line


@pytest.mark.parametrize(
    ("overrides", "status", "message"),
    [
        (["training.batch_size=65"], 2, "batch_size=65 must be <= replay_capacity=64"),
        (["model.v_min=-5"], 2, "give both v_min and v_max, or null for both"),
        (["model.v_min=5", "model.v_max=-5"], 2, "v_min=5.0 must be below v_max=-5.0"),
        (["training.batchsize=8"], 2, "batchsize: unknown key"),
        (["model.atoms=1"], 2, "atoms=1"),
        (["training.discount=1.5"], 2, "discount=1.5"),
        (["training.num_frames=many"], 2, "num_frames"),
        (["training.epsilon_start=0.01"], 2, "epsilon_end=0.02 must be <= epsilon_start=0.01"),
        (["data=doge"], 2, "doge"),
        (["data.symbol=DOGE"], 3, "doge/bars.parquet does not exist; allowed: bars of DOGE"),
        (["data.test_start=2018-01-10"], 2, "validation_start=2018-01-16 must come before test_start=2018-01-10"),
        (["data.test_start=2018-03-01"], 3, "test holds 0 bars of BTC (1h)"),
        (["data.window_size=200"], 3, "at least 207 bars without a gap (window_size - 1 + cycle_steps)"),
        (["data.frequency=1d"], 3, "train holds 15 bars of BTC (1d)"),
    ],
)
def test_bad_settings_are_told(
    overrides: list[str], status: int, message: str, prepared: Path, command_line: CommandLine, fails: Fails
) -> None:
    if "data.frequency=1d" in overrides:
        overrides = [*overrides, "data.window_size=10"]
    given, line = fails(command_line(prepared, *overrides))
    assert given == status
    assert message in line
    assert not (prepared / MODELS).exists()


def test_the_registered_name_of_another_family_is_refused(
    prepared: Path, command_line: CommandLine, fails: Fails
) -> None:
    registry = FilesystemRegistry(prepared / "models" / "registry")
    lexicon = ensure_champion(registry, "sentiment", SENTIMENT)
    status, line = fails(command_line(prepared, "registry.model_name=sentiment", "training.num_frames=80"))
    assert status == 6
    assert "sentiment version 1" in line
    assert registry.versions("sentiment") == (lexicon,)
    assert registry.aliases("sentiment") == {"sentiment_champion": 1}


def test_a_name_that_holds_another_coin_is_refused_before_anything_is_trained(
    prepared: Path, tmp_path: Path, make_timing_model: Callable[..., str], command_line: CommandLine, fails: Fails
) -> None:
    make_timing_model(tmp_path / "ether", symbol="ETH")
    FilesystemRegistry(prepared / "models" / "registry").register(
        tmp_path / "ether", "crypto_timing", {"symbol": "ETH"}
    )
    status, line = fails(command_line(prepared))
    assert status == 6
    assert "crypto_timing holds models of ETH" in line
    assert "mend: registry.model_name=crypto_timing_btc" in line
    assert not (prepared / MODELS).exists()


def test_a_training_that_diverges_is_told(
    prepared: Path, command_line: CommandLine, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No setting that is allowed was found to do it, so that a value is broken on its way."""
    real = RainbowAgent.remember

    def remember(agent: RainbowAgent, observations: np.ndarray, actions: np.ndarray, step: Step) -> None:
        real(agent, observations, actions, step._replace(rewards=np.full_like(step.rewards, np.inf)))

    monkeypatch.setattr(RainbowAgent, "remember", remember)
    status, line = fails(command_line(prepared, "model=dqn"))
    assert status == 6
    assert "finite" in line
    assert not list((prepared / MODELS / "btc").glob("2*"))


def test_a_full_disk_is_told(prepared: Path, command_line: CommandLine, tmp_path: Path) -> None:
    argv, told = command_line(prepared, "training.num_frames=160"), tmp_path / "stderr.txt"
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
        with told.open("w") as sys.stderr:
            status = stage.main(argv)
        os._exit(status)
    _, status = os.waitpid(child, 0)
    line = told.read_text().splitlines()[-1]
    assert os.waitstatus_to_exitcode(status) == 5, line
    assert "the disk is full" in line
    assert not list((prepared / MODELS / "btc").glob("2*"))
