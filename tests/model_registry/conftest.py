"""Registries of both kinds, and small model folders."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from MLOps.inference.model_folder import MlpActorCard, write_model
from MLOps.settings.compose import compose_settings
from MLOps.settings.promotion import PromotionSettings
from model_registry.family import STOCK_TRADING, ModelFamily
from model_registry.open_registry import open_registry
from model_registry.registry import ModelRegistry
from model_registry.verdict import GateResult, Verdict

SettingsMaker = Callable[[str], PromotionSettings]


@pytest.fixture
def registry_settings(tracked_workspace: Path) -> SettingsMaker:
    """A maker of settings for a registry kind, in a workspace of the test's own."""

    def make(kind: str) -> PromotionSettings:
        overrides = [f"paths.workspace={tracked_workspace}", f"registry.kind={kind}"]
        return compose_settings(PromotionSettings, "promote_to_paper", overrides)

    return make


@pytest.fixture(params=["filesystem", "mlflow"])
def registry(request: pytest.FixtureRequest, registry_settings: SettingsMaker) -> ModelRegistry:
    """Each implementation in turn, empty."""
    return open_registry(registry_settings(request.param))


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[[float], Path]:
    """A maker of model folders that differ by one weight, each with an export riding along."""

    def make(bias: float) -> Path:
        folder = tmp_path / f"model_{bias}"
        card = MlpActorCard.model_validate(
            {
                "architecture": {"hidden_sizes": [], "activation": "relu", "squash": "clip"},
                "observation": {"tickers": ["AAA", "BBB"], "indicators": [], "size": 5},
                "normalisation": {"mean": [0.0] * 5, "scale": [1.0] * 5, "limit": 10.0},
                "action": {
                    "kind": "share_orders",
                    "max_shares_per_order": 10,
                    "is_fractional": False,
                    "turbulence_threshold": None,
                },
                "environment": {},
                "windows": {},
                "provenance": {"seed": 1},
            }
        )
        weights = {
            "layers.0.weight": np.zeros((2, 5), np.float32),
            "layers.0.bias": np.full(2, bias, np.float32),
        }
        write_model(folder, card, weights)
        (folder / "export").mkdir(exist_ok=True)
        (folder / "export" / "model.zip").write_bytes(b"a library's own format")
        return folder

    return make


@pytest.fixture
def make_verdict() -> Callable[..., Verdict]:
    """A maker of verdicts with all gates, or those that are named; where it does not pass, the first one failed."""

    def make(
        model_digest: str,
        champion_digest: str | None,
        passed: bool,
        key: str = "k1",
        names: tuple[str, ...] | None = None,
        basis: str = "gates",
        family: ModelFamily = STOCK_TRADING,
    ) -> Verdict:
        gates = tuple(
            GateResult(gate=name, figure=0.2, threshold=0.3, passed=passed or position > 0, reason="a | b")
            for position, name in enumerate(family.gates if names is None else names)
        )
        return Verdict.model_validate(
            {"key": key, "family": family.name, "basis": basis, "as_of": None}
            | {"model_digest": model_digest, "champion_digest": champion_digest}
            | {"outcome": "passed" if passed else "rejected", "gates": gates}
        )

    return make
