"""A workspace with hourly bars, and buy-timing models whose skill is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deployment.backtesting.evaluate_crypto_timing import evaluate_crypto_timing
from MLOps.inference.timing_model import RainbowTimingCard, write_timing_model
from MLOps.market.crypto_bars import write_crypto_bars
from MLOps.settings.compose import compose_settings
from MLOps.settings.timing_evaluation import TimingEvaluationSettings
from MLOps.stage import MemoryTracker, StageResult
from model_registry.champion import ensure_champion, promote
from model_registry.family import CRYPTO_TIMING
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER, ModelRegistry, ModelVersion
from model_registry.verdict import Verdict

NAME = "crypto_timing"
WINDOW, STEPS, BARS = 10, 12, 3600  # 150 days from 2018-01-01 on; 50 of them to judge on


def buys_below(level: float, place: int = 0) -> dict[str, np.ndarray]:
    """Weights of a network that buys where number `place` of the observation, not negative, lies below `level`.

    A trunk of one unit repeats the number; holding is worth the number, buying is worth the level.
    """
    trunk = np.zeros((1, WINDOW + 2), np.float32)
    trunk[0, place] = 1
    return {
        "trunk.0.weight": trunk,
        "trunk.0.bias": np.zeros(1, np.float32),
        "advantage.hidden.weight": np.ones((1, 1), np.float32),
        "advantage.hidden.bias": np.zeros(1, np.float32),
        "advantage.out.weight": np.array([[1], [0]], np.float32),
        "advantage.out.bias": np.array([0, level], np.float32),
    }


def card_of(**fields: Any) -> RainbowTimingCard:
    """The card of such a network, with other fields where they are given."""
    instant = {"first": datetime(2018, 1, 1, tzinfo=UTC), "last": datetime(2018, 3, 1, tzinfo=UTC)}
    values = {
        "architecture": {
            "hidden_sizes": (1,),
            "stream_size": 1,
            "atoms": 1,
            "v_min": -1,
            "v_max": 1,
            "is_dueling": False,
            "is_categorical": False,
        },
        "observation": {"window_size": WINDOW, "size": WINDOW + 2},
        "market": {"symbol": "BTC", "frequency": "1h", "cycle_steps": STEPS, "fee_bps": 10},
        "environment": {"fee_bps": 10, "reward_scale": 100, "random_first_step": True},
        "windows": {"train": instant},
        "provenance": {"seed": 1},
    }
    return RainbowTimingCard.model_validate(values | fields)


@dataclass(frozen=True)
class Arena:
    """A workspace with bars, a registry, its first champion and a challenger."""

    workspace: Path
    kind: str = "filesystem"
    further: tuple[str, ...] = field(default=())

    @property
    def overrides(self) -> list[str]:
        tracked = "true" if self.kind == "mlflow" else "false"
        return [
            f"paths.workspace={self.workspace}",
            f"registry.kind={self.kind}",
            f"tracking.enabled={tracked}",
            f"data.window_size={WINDOW}",
            f"data.cycle_steps={STEPS}",
            "data.validation_start=2018-03-02",
            "data.test_start=2018-04-11",
            "terms.bootstrap.resamples=300",
            "terms.baselines.random_draws=50",
            *self.further,
        ]

    @property
    def promotion_overrides(self) -> list[str]:
        """What promote_crypto_timing demands of the evidence, like what the evaluation was told."""
        sections = ("data.", "terms.", "environment.")
        return [f"evidence.{key}" if key.startswith(sections) else key for key in self.overrides]

    def evaluate(self, *overrides: str) -> StageResult:
        """The evaluation, other settings lying over the arena's."""
        settings = compose_settings(TimingEvaluationSettings, "evaluate_crypto_timing", [*self.overrides, *overrides])
        return evaluate_crypto_timing(settings, MemoryTracker())

    @cached_property
    def settings(self) -> TimingEvaluationSettings:
        return compose_settings(TimingEvaluationSettings, "evaluate_crypto_timing", self.overrides)

    @cached_property
    def registry(self) -> ModelRegistry:
        return open_registry(self.settings)

    @property
    def champion(self) -> ModelVersion:
        return ensure_champion(self.registry, NAME, CRYPTO_TIMING)

    @property
    def challenger(self) -> ModelVersion:
        found = self.registry.by_alias(NAME, CHALLENGER)
        assert found is not None
        return found

    def write_model(self, level: float = 0.25, name: str = "model", place: int = 0, **card: Any) -> Path:
        """The folder of a network that buys below a level."""
        folder = self.workspace / "trained" / f"{name}-{level}-{place}"
        window = card.get("observation", {}).get("window_size", WINDOW)
        weights = buys_below(level, place)
        trunk = np.zeros((1, window + 2), np.float32)
        trunk[0, place] = 1
        write_timing_model(folder, card_of(**card), weights | {"trunk.0.weight": trunk})
        return folder

    def register(self, level: float = 0.25, name: str = "model", place: int = 0, **card: Any) -> ModelVersion:
        """Register such a model and let it be the challenger."""
        version = self.registry.register(self.write_model(level, name, place, **card), NAME, {})
        self.registry.set_alias(NAME, CHALLENGER, version.version)
        return version

    def let_pass(self, version: ModelVersion) -> None:
        """Let a version be champion, as if all gates had let it through."""
        found = {"figure": 1, "threshold": 1, "passed": True, "reason": "r"}
        gates = [found | {"gate": gate} for gate in CRYPTO_TIMING.gates]
        values = {"key": "k", "family": NAME, "basis": "gates", "as_of": None, "outcome": "passed", "gates": gates}
        digests = {"model_digest": version.digest, "champion_digest": self.champion.digest}
        verdict = Verdict.model_validate(values | digests)
        self.registry.store_verdict(version, verdict)
        promote(self.registry, version, verdict, CRYPTO_TIMING)

    def write_bars(self, pull: float = 0.3, seed: int = 1, symbol: str = "BTC") -> Path:
        """Hourly bars whose logarithm is pulled to its mean each hour: 0 is a random walk, where nothing is gained."""
        generator = np.random.default_rng(seed)
        noise, levels = generator.normal(0, 0.01, BARS), np.zeros(BARS)
        for t in range(1, BARS):
            levels[t] = (1 - pull) * levels[t - 1] + noise[t]
        return self.put_bars(bars_of(5000 * np.exp(levels), symbol), symbol.lower())

    def put_bars(self, bars: pd.DataFrame, symbol: str = "btc") -> Path:
        """Bars where the ingestion puts them."""
        path = self.workspace / "data" / "crypto" / symbol / "bars.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_crypto_bars(bars, path)
        return path


def bars_of(closes: np.ndarray, symbol: str) -> pd.DataFrame:
    """Hourly bars of the contract from 2018-01-01 on."""
    opened = pd.date_range("2018-01-01", periods=len(closes), freq="1h", tz="UTC").as_unit("us")
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    times = {"timestamp": opened + pd.Timedelta("1h"), "opened_at": opened, "ticker": symbol}
    return pd.DataFrame(times | prices | {"volume": np.ones(len(closes)), "volume_usd": np.full(len(closes), np.nan)})


@pytest.fixture
def make_arena(tracked_workspace: Path, tmp_path: Path) -> Callable[..., Arena]:
    """A maker of arenas with bars that return to their mean, and a challenger that knows it."""

    def make(kind: str = "filesystem", name: str = "", pull: float = 0.3) -> Arena:
        workspace = tmp_path / name if name else tracked_workspace
        workspace.mkdir(exist_ok=True)
        arena = Arena(workspace, kind)
        arena.write_bars(pull)
        arena.register()
        return arena

    return make


@pytest.fixture
def arena(make_arena: Callable[..., Arena]) -> Arena:
    """An arena with a filesystem registry."""
    return make_arena()
