"""A workspace with features and an untrained model, ready for a backtest."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from deployment.backtesting import run_backtest
from MLOps.inference.model_folder import (
    ActionRule,
    Architecture,
    MlpActorCard,
    Normalisation,
    ObservationSchema,
    Window,
    write_model,
)
from MLOps.market.panel import MarketPanel
from MLOps.stage import StageResult

TICKERS = ("AAA", "BBB", "CCC")
FEATURES = "processed_data_with_features.parquet"


@pytest.fixture(scope="session")
def panel() -> MarketPanel:
    """Three synthetic tickers over 160 business days from 2021-01-04; the last 50 are the tests' test split."""
    generator = np.random.default_rng(5)
    dates = np.busday_offset("2021-01-04", np.arange(160)).astype("datetime64[D]")
    close = 40 * np.exp(np.cumsum(generator.normal(5e-4, 0.015, (160, 3)), axis=0))
    features = generator.normal(size=(160, 3, 2))
    return MarketPanel(dates, TICKERS, close, features, ("macd", "rsi_30"), np.zeros(160))


@pytest.fixture(scope="session")
def write_features(panel: MarketPanel) -> Callable[[Path], Path]:
    """Writes the features file where the stage looks for it in a workspace."""

    def write(workspace: Path) -> Path:
        path = workspace / "data" / "processed" / FEATURES
        path.parent.mkdir(parents=True)
        panel.to_frame().to_parquet(path, index=False)
        return path

    return write


@pytest.fixture
def features_path(workspace: Path, write_features: Callable[[Path], Path]) -> Path:
    """The features file of this test's workspace."""
    return write_features(workspace)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Path]:
    """A maker of model folders: a small network with drawn weights that learned from early 2021."""

    def make(
        folder: Path,
        tickers: tuple[str, ...] = TICKERS,
        indicators: tuple[str, ...] = ("macd", "rsi_30"),
        learned_until: date = date(2021, 5, 28),
        seed: int = 0,
        **provenance: str,
    ) -> Path:
        size, outputs = 1 + len(tickers) * (2 + len(indicators)), len(tickers)
        card = MlpActorCard(
            architecture=Architecture(hidden_sizes=(8,), activation="tanh", squash="clip"),
            observation=ObservationSchema(tickers=tickers, indicators=indicators, size=size),
            normalisation=Normalisation(mean=(0.0,) * size, scale=(1e4,) * (size - 6) + (1.0,) * 6, limit=10.0),
            action=ActionRule(
                kind="share_orders", max_shares_per_order=100, is_fractional=False, turbulence_threshold=None
            ),
            environment={},
            windows={
                "train": Window(first=date(2021, 1, 4), last=date(2021, 4, 30)),
                "validation": Window(first=date(2021, 5, 3), last=learned_until),
                "test": Window(first=date(2021, 6, 7), last=date(2021, 8, 13)),
            },
            provenance={"seed": seed, **provenance},
        )
        draw = np.random.default_rng(seed).normal
        weights = {
            "layers.0.weight": draw(size=(8, size)),
            "layers.0.bias": draw(size=8),
            "layers.1.weight": draw(size=(outputs, 8)),
            "layers.1.bias": draw(size=outputs),
        }
        write_model(folder, card, {name: value.astype(np.float32) for name, value in weights.items()})
        return folder

    return make


@pytest.fixture
def model_path(workspace: Path, make_model: Callable[..., Path]) -> Path:
    """A model folder of no registry."""
    return make_model(workspace / "models" / "untrained")


@pytest.fixture(scope="session")
def quick_terms() -> list[str]:
    """Overrides for a quick run: no tracking, the filesystem registry, small counts."""
    return [
        "tracking.enabled=false",
        "registry.kind=filesystem",
        "split.test_sessions=50",
        "split.validation_sessions=20",
        "split.minimum_train_sessions=60",
        "terms.baselines.lookback_sessions=40",
        "terms.baselines.random_paths=5",
        "terms.bootstrap.resamples=100",
    ]


@pytest.fixture
def arguments(workspace: Path, quick_terms: list[str]) -> list[str]:
    """A quick command line in this test's workspace."""
    return [f"--workspace={workspace}", *quick_terms]


@pytest.fixture
def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, StageResult | None, str]]:
    """Runs the command line; gives its status, its result, and the last line that it told on standard error."""

    def call(*more: str) -> tuple[int, StageResult | None, str]:
        capsys.readouterr()
        status = run_backtest.main([*arguments, *more])
        out, err = capsys.readouterr()
        result = StageResult.model_validate_json(out.splitlines()[-1]) if out else None
        return status, result, err.strip().splitlines()[-1] if err.strip() else ""

    return call
