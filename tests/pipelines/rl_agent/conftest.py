"""A features file of a small market, the command line of a training that a test can afford, and such a training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiment_tracking.runner import read_settings
from MLOps.settings.environment import SENTIMENT_COLUMNS
from MLOps.settings.training import TrainRlAgentSettings
from MLOps.stage import MemoryTracker, StageResult
from pipelines.rl_agent import train_rl_agent as stage

INDICATORS = ("macd", "rsi_30")
SMALL = (
    "tracking.enabled=false",
    "registry.kind=filesystem",
    "environment.indicators=[macd,rsi_30]",
    "environment.random_start=false",
    "split.validation_sessions=15",
    "split.test_sessions=15",
    "split.minimum_train_sessions=20",
    "agent.network.hidden_sizes=[8]",
    "agent.hyperparameters.n_envs=1",
    "agent.hyperparameters.n_steps=32",
    "agent.hyperparameters.batch_size=16",
    "agent.hyperparameters.n_epochs=2",
    "training.total_timesteps=128",
    "training.checkpoint_every_timesteps=32",
)


@pytest.fixture(scope="session")
def features() -> pd.DataFrame:
    """90 sessions of AAA and BBB, as build_features writes them."""
    generator = np.random.default_rng(8)
    days = pd.bdate_range("2021-01-04", periods=90)
    close = 50 * np.exp(np.cumsum(generator.normal(0.0005, 0.02, (90, 2)), axis=0))
    frame = pd.DataFrame({"date": np.repeat(days, 2), "tic": ["AAA", "BBB"] * 90, "close": close.ravel()})
    for name in INDICATORS:
        frame[name] = generator.normal(size=180)
    frame["turbulence"] = np.repeat(generator.uniform(0, 10, 90), 2)
    for name in SENTIMENT_COLUMNS:
        frame[name] = 0.0
    return frame


@pytest.fixture(scope="session")
def lay_down(features: pd.DataFrame) -> Callable[[Path], Path]:
    """Write the features into a workspace, as Parquet and as CSV; gives the workspace."""

    def lay(workspace: Path) -> Path:
        folder = workspace / "data" / "processed"
        folder.mkdir(parents=True)
        features.to_parquet(folder / "processed_data_with_features.parquet")
        features.to_csv(folder / "processed_data_with_features.csv", index=False)
        return workspace

    return lay


@pytest.fixture
def prepared(workspace: Path, lay_down: Callable[[Path], Path]) -> Path:
    """A workspace that holds features."""
    return lay_down(workspace)


@pytest.fixture(scope="session")
def command_line() -> Callable[..., list[str]]:
    """``command_line(workspace, "key=value", ...)``: a small PPO training."""

    def make(workspace: Path, *more: str) -> list[str]:
        flags = [text for text in more if text.startswith("--")]
        return ["--workspace", str(workspace), *flags, *SMALL, *(text for text in more if text not in flags)]

    return make


@dataclass(frozen=True)
class Done:
    """A run that nothing disturbed."""

    workspace: Path
    settings: TrainRlAgentSettings
    tracker: MemoryTracker
    result: StageResult


@pytest.fixture(scope="session")
def done(
    tmp_path_factory: pytest.TempPathFactory,
    lay_down: Callable[[Path], Path],
    command_line: Callable[..., list[str]],
) -> Done:
    """A run that nothing disturbed; its workspace is only read."""
    workspace = lay_down(tmp_path_factory.mktemp("done"))
    settings = read_settings(stage.STAGE, command_line(workspace))
    tracker = MemoryTracker(run_id="run-1")
    return Done(workspace, settings, tracker, stage.train_rl_agent(settings, tracker))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], StageResult]:
    """``run(argv)``: through the command line; the last line of standard output is the result."""

    def through_main(argv: list[str]) -> StageResult:
        assert stage.main(argv) == 0
        return StageResult.model_validate_json(capsys.readouterr().out.splitlines()[-1])

    return through_main
