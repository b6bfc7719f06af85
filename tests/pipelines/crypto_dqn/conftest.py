"""Bars of a coin in a workspace, the command line of a training that a test can afford, and such a training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from experiment_tracking.runner import read_settings
from MLOps.market.crypto_bars import write_crypto_bars
from MLOps.settings.rainbow import TrainRainbowSettings
from MLOps.stage import MemoryTracker, StageResult
from pipelines.crypto_dqn import train_rainbow as stage

MARKET = (
    "tracking.enabled=false",
    "data.window_size=6",
    "data.cycle_steps=8",
    "data.validation_start=2018-01-16",
    "data.test_start=2018-01-21",
)
NETWORK = ("model.hidden_sizes=[8]", "model.stream_size=4", "model.atoms=11")
TRAINING = (
    "training.num_frames=480",
    "training.n_envs=4",
    "training.learning_starts=40",
    "training.batch_size=8",
    "training.learning_rate=0.02",  # so that so few steps change what it does
    "training.replay_capacity=64",
    "training.target_update_every=7",
    "training.evaluate_every_frames=80",
    "training.report_every_frames=80",
    "training.checkpoint_every_frames=160",
    "training.use_lightning=false",  # the same numbers, and its import takes seconds
)


@pytest.fixture(scope="session")
def small_settings() -> tuple[str, ...]:
    """Settings of a small market, network and training."""
    return MARKET + NETWORK + TRAINING


@pytest.fixture(scope="session")
def lay_down(make_crypto_bars: Callable[..., pd.DataFrame]) -> Callable[..., Path]:
    """``lay_down(workspace, bars)``: write bars where the ingestion puts them, 30 days of BTC unless given."""

    def lay(workspace: Path, bars: pd.DataFrame | None = None, symbol: str = "btc") -> Path:
        path = workspace / "data" / "crypto" / symbol / "bars.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_crypto_bars(make_crypto_bars(count=720) if bars is None else bars, path)
        return workspace

    return lay


@pytest.fixture
def prepared(workspace: Path, lay_down: Callable[..., Path]) -> Path:
    """A workspace that holds bars."""
    return lay_down(workspace)


@pytest.fixture(scope="session")
def command_line(small_settings: tuple[str, ...]) -> Callable[..., list[str]]:
    """``command_line(workspace, "key=value", ...)``: a small training."""

    def make(workspace: Path, *more: str) -> list[str]:
        flags = [text for text in more if text.startswith("--")]
        overrides = [text for text in more if text not in flags]
        return ["--workspace", str(workspace), *flags, "registry.kind=filesystem", *small_settings, *overrides]

    return make


@dataclass(frozen=True)
class Done:
    """A run that nothing disturbed."""

    workspace: Path
    settings: TrainRainbowSettings
    tracker: MemoryTracker
    result: StageResult


@pytest.fixture(scope="session")
def done(
    tmp_path_factory: pytest.TempPathFactory, lay_down: Callable[..., Path], command_line: Callable[..., list[str]]
) -> Done:
    """A run that nothing disturbed; its workspace is only read."""
    workspace = lay_down(tmp_path_factory.mktemp("done"))
    settings = read_settings(stage.STAGE, command_line(workspace))
    tracker = MemoryTracker(run_id="run-1")
    return Done(workspace, settings, tracker, stage.train_rainbow(settings, tracker))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], StageResult]:
    """``run(argv)``: through the command line; the last line of standard output is the result."""

    def through_main(argv: list[str]) -> StageResult:
        assert stage.main(argv) == 0
        return StageResult.model_validate_json(capsys.readouterr().out.splitlines()[-1])

    return through_main
