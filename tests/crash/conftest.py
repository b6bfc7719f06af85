"""A small chain of all stages, run undisturbed once, whose stages can be killed and run again."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from MLOps.artifacts import read_result
from MLOps.settings.project import project_root

WINDOWS = ("split.validation_sessions=20", "split.test_sessions=40", "split.minimum_train_sessions=20")
STAGES = {
    "ingest_data": "pipelines.data_ingestion.data_ingestion_pipeline",
    "measure_signal_rates": "pipelines.signal_rate.measure_signal_rates",
    "score_news": "pipelines.sentiment_model.score_news",
    "build_features": "pipelines.feature_engineering.build_features",
    "train_rl_agent": "pipelines.rl_agent.train_rl_agent",
    "run_backtest": "deployment.backtesting.run_backtest",
    "promote_to_paper": "deployment.promotion.promote_to_paper",
}
SMALL = {
    "ingest_data": ("data.source=folder", "data.as_of=logical_date"),
    "measure_signal_rates": (),
    "score_news": ("chunk_articles=5",),
    "build_features": ("turbulence_window_sessions=20", "scores_path=data/scores/latest/news_scores.parquet"),
    "train_rl_agent": (
        *WINDOWS,
        "training.total_timesteps=64",
        "training.checkpoint_every_timesteps=32",
        "agent.hyperparameters.n_envs=1",
        "agent.hyperparameters.n_steps=32",
        "agent.hyperparameters.batch_size=32",
        "agent.network.hidden_sizes=[8,8]",
    ),
    "run_backtest": (
        *WINDOWS,
        "terms.baselines.lookback_sessions=20",
        "terms.baselines.random_paths=3",
        "terms.bootstrap.resamples=100",
    ),
    "promote_to_paper": ("evidence.terms.bootstrap.resamples=100", "evidence.split.test_sessions=40"),
}

DATA = ("data/raw", "data/signal_rates/stock", "data/scores", "data/processed")  # where stages publish

# metrics of score_news that tell of one run: its speed, and what a killed one had left in the cache
OF_THE_RUN = {"scoring_seconds", "sentences_per_second", "sentences_scored", "articles_scored", "articles_from_cache"}


@dataclass(frozen=True)
class Try:
    """One run of a stage: its exit status (minus the signal that ended it), its result, what it told."""

    status: int
    seconds: float
    result: dict[str, Any]
    told: str

    @property
    def made(self) -> dict[str, Any]:
        """What the stage made: all of its result but how long it took and how much of it was there before."""
        kept = {name: value for name, value in self.result.items() if name not in {"status", "seconds"}}
        return kept | {"metrics": {name: value for name, value in kept["metrics"].items() if name not in OF_THE_RUN}}


class ForkServer:
    """The other end of fork_server.py."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        script = Path(__file__).with_name("fork_server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), *STAGES.values()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=project_root(),
        )

    def run(self, stage: str, argv: list[str], die_at: str | None = None, kill_after: float | None = None) -> Try:
        log = self.logs / stage
        request = {"module": STAGES[stage], "argv": argv, "log": str(log), "die_at": die_at, "kill_after": kill_after}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        lines = log.with_suffix(".out").read_text().splitlines()
        result = json.loads(lines[-1]) if answer["status"] == 0 else {}
        return Try(**answer, result=result, told=log.with_suffix(".err").read_text())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Chain:
    """All stages in one workspace, whose state before each stage can be brought back."""

    server: ForkServer
    root: Path
    bars: Path
    news: Path
    run_date: str
    undisturbed: dict[str, Try] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    def run(self, stage: str, die_at: str | None = None, kill_after: float | None = None) -> Try:
        """Run one stage here."""
        argv = ["--workspace", str(self.workspace), "--run_date", self.run_date, *SMALL[stage]]
        if stage == "ingest_data":
            argv += ["--bars_path", str(self.bars), f"sources.folder.news={self.news}"]
        return self.server.run(stage, argv, die_at, kill_after)

    def run_all(self, keep_states: bool = False) -> None:
        """Run every stage, undisturbed."""
        for stage in STAGES:
            if keep_states:
                shutil.copytree(self.workspace, self.root / f"before_{stage}", symlinks=True)
            done = self.run(stage)
            assert done.status == 0, done.told
            self.undisturbed[stage] = done

    def go_back_to(self, stage: str) -> None:
        """Bring the workspace back to its state right before `stage` ran."""
        shutil.rmtree(self.workspace)
        shutil.copytree(self.root / f"before_{stage}", self.workspace, symlinks=True)

    def broken_outputs(self) -> list[str]:
        """Outputs that a later stage could find although they are not whole."""
        roots = [self.workspace / name for name in (*DATA, "models")]
        roots += (self.workspace / "reports" / name for name in ("backtests", "promotions"))
        visible = [path for root in roots if root.is_dir() for path in root.iterdir() if not path.name.startswith(".")]
        folders = [path.resolve() for path in visible if path.name == "latest" or path.is_dir()]
        dangling = [path.name for path in visible if not path.exists()]
        return dangling + [folder.name for folder in folders if read_result(folder) is None]

    def leftovers(self) -> list[str]:
        """Temporary files and folders that no process works on any more."""
        return [path.name for pattern in ("*.partial", "*.link") for path in self.workspace.rglob(pattern)]


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    server = ForkServer(tmp_path_factory.mktemp("logs"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def make_chain(
    fork_server: ForkServer,
    tmp_path_factory: pytest.TempPathFactory,
    empty_mlflow_store: Path,
    make_prices: Callable[..., pd.DataFrame],
) -> Callable[[], Chain]:
    """Makes a chain in a workspace of its own, on the same synthetic bars and news."""
    prices = make_prices(sessions=220)
    bars = tmp_path_factory.mktemp("bars") / "bars.csv"
    prices.to_csv(bars, index=False)
    news = bars.with_name("news.csv")
    days = prices["session"].drop_duplicates()[::10].dt.strftime("%Y-%m-%d")
    news_frame = pd.DataFrame({"published_at": days, "title": "A good day. " + days, "text": "Great profits."})
    news_frame.to_csv(news, index=False)

    def make() -> Chain:
        chain = Chain(fork_server, tmp_path_factory.mktemp("chain"), bars, news, f"{prices['session'].max():%Y-%m-%d}")
        chain.workspace.mkdir()
        shutil.copy(empty_mlflow_store, chain.workspace / "mlruns.db")
        return chain

    return make


@pytest.fixture(scope="session")
def chain(make_chain: Callable[[], Chain]) -> Chain:
    """The chain after one undisturbed run."""
    chain = make_chain()
    chain.run_all(keep_states=True)
    return chain
