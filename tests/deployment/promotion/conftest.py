"""A registry with a challenger, and backtests of it with returns made to measure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from MLOps.artifacts import Made, Output, make_once
from MLOps.evaluation.comparison import RandomSpread, Scorecard
from MLOps.evaluation.performance import Performance
from MLOps.inference.model_folder import MlpActorCard, write_model
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import BacktestSettings
from MLOps.settings.compose import compose_settings
from MLOps.settings.promotion import PromotionSettings
from MLOps.stage import MemoryTracker
from model_registry.champion import ensure_champion
from model_registry.family import STOCK_TRADING
from model_registry.open_registry import open_registry
from model_registry.registry import CHALLENGER, ModelRegistry, ModelVersion

SESSIONS = 120
NAME = "stock_trading"


@dataclass(frozen=True)
class Arena:
    """A workspace with features, a registry, its first champion and a challenger."""

    workspace: Path
    kind: str

    @property
    def overrides(self) -> list[str]:
        tracked = "true" if self.kind == "mlflow" else "false"
        return [
            f"paths.workspace={self.workspace}",
            f"registry.kind={self.kind}",
            f"tracking.enabled={tracked}",
            "evidence.terms.bootstrap.resamples=200",
            f"evidence.split.test_sessions={SESSIONS}",
        ]

    @cached_property
    def settings(self) -> PromotionSettings:
        return compose_settings(PromotionSettings, "promote_to_paper", self.overrides)

    @cached_property
    def registry(self) -> ModelRegistry:
        return open_registry(self.settings)

    @property
    def champion(self) -> ModelVersion:
        return ensure_champion(self.registry, NAME, STOCK_TRADING)

    @property
    def challenger(self) -> ModelVersion:
        found = self.registry.by_alias(NAME, CHALLENGER)
        assert found is not None
        return found

    def register(self, bias: float, tickers: tuple[str, ...] = ("AAA", "BBB"), **provenance: str) -> ModelVersion:
        """Register a model of one layer and let it be the challenger."""
        size = 1 + 2 * len(tickers)
        card = MlpActorCard.model_validate(
            {
                "architecture": {"hidden_sizes": [], "activation": "relu", "squash": "clip"},
                "observation": {"tickers": tickers, "indicators": [], "size": size},
                "normalisation": {"mean": [0.0] * size, "scale": [1.0] * size, "limit": 10.0},
                "action": {
                    "kind": "share_orders",
                    "max_shares_per_order": 10,
                    "is_fractional": False,
                    "turbulence_threshold": None,
                },
                "environment": {},
                "windows": {},
                "provenance": provenance,
            }
        )
        weights = {
            "layers.0.weight": np.zeros((len(tickers), size), np.float32),
            "layers.0.bias": np.full(len(tickers), bias, np.float32),
        }
        folder = self.workspace / "trained" / str(bias)
        write_model(folder, card, weights)
        version = self.registry.register(folder, NAME, {})
        self.registry.set_alias(NAME, CHALLENGER, version.version)
        return version

    def write_features(self, seed: int = 1) -> Path:
        """A features file of two tickers."""
        close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, (SESSIONS, 2)), axis=0))
        dates = np.datetime64("2021-01-01", "D") + np.arange(SESSIONS)
        panel = MarketPanel(dates, ("AAA", "BBB"), close, np.zeros((SESSIONS, 2, 0)), (), np.zeros(SESSIONS))
        path = self.settings.paths.processed / "processed_data_with_features.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        panel.to_frame().to_parquet(path, index=False)
        return path

    def write_backtest(
        self,
        edge: float = 0.0,
        model: str | None = None,
        champion: str | None = None,
        columns: tuple[str, ...] = ("model", "champion"),
        terms: tuple[str, ...] = (),
        first_date: date = date(2021, 1, 1),
        **figures: float | None,
    ) -> Path:
        """A backtest's folder in which the model earns `edge` a session more than the champion."""
        champion_returns = np.random.default_rng(5).normal(0.0005, 0.01, SESSIONS - 1)
        returns = {"model": champion_returns + edge, "champion": champion_returns}
        performance = Performance.model_validate(
            {
                "total_return": 0.1,
                "annual_return": 0.1,
                "volatility": 0.2,
                "sharpe": 0.5,
                "sortino": 0.7,
                "max_drawdown": 0.2,
                "calmar": 0.5,
                "turnover": 3.0,
                "costs_paid": 100.0,
            }
            | figures
        )

        def make(folder: Path, _key: str) -> Made:
            dates = pd.date_range("2021-01-02", periods=SESSIONS - 1)
            frame = pd.DataFrame({"date": dates} | {name: returns[name] for name in columns})
            frame.to_parquet(folder / "returns.parquet", index=False)
            spread = RandomSpread(paths=1, sharpe_05=None, sharpe_50=None, sharpe_95=None, beaten_fraction=None)
            card = Scorecard(
                terms=compose_settings(BacktestSettings, "run_backtest", terms).terms,
                first_date=first_date,
                last_date=date(2021, 4, 30),
                sessions=(date(2021, 4, 30) - first_date).days + 1,
                strategies={"model": performance},
                sharpe_differences={},
                random=spread,
            )
            (folder / "performance.json").write_text(card.model_dump_json())
            return Made(
                files={"returns": "returns.parquet", "performance": "performance.json"},
                details={
                    "model_digest": model or self.challenger.digest,
                    "champion_digest": (champion or self.champion.digest) if "champion" in columns else None,
                },
            )

        identity = {"edge": str(edge), "champion": str(champion), "model": str(model), "figures": str(figures)}
        output = Output(
            "run_backtest",
            self.settings.paths.reports / "backtests",
            self.settings,
            inputs={"features": self.settings.paths.processed / "processed_data_with_features.parquet"},
            extra=identity | {"columns": str((columns, terms, first_date)), "present": self.champion.digest},
        )
        return make_once(output, make, MemoryTracker()).folder


@pytest.fixture
def make_arena(tracked_workspace: Path, tmp_path: Path) -> Callable[..., Arena]:
    """A maker of arenas with a challenger; each of a kind, each in a folder of its own if named."""

    def make(kind: str = "filesystem", name: str = "") -> Arena:
        workspace = tmp_path / name if name else tracked_workspace
        workspace.mkdir(exist_ok=True)
        arena = Arena(workspace, kind)
        arena.write_features()
        arena.register(0.5)
        return arena

    return make


@pytest.fixture
def arena(make_arena: Callable[..., Arena]) -> Arena:
    """An arena with a filesystem registry."""
    return make_arena()
