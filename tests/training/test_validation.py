"""The validation figures are made on the environment's own terms."""

from collections.abc import Callable

import numpy as np
import pytest

from MLOps.inference.policy import EqualWeightPolicy
from MLOps.market.panel import MarketPanel
from MLOps.settings.compose import compose_settings
from MLOps.settings.training import TrainRlAgentSettings
from MLOps.training.validation import validate

Figures = Callable[..., dict[str, float]]


@pytest.fixture(scope="module")
def figures() -> Figures:
    """``figures("environment.slippage_bps=50")``: equal weights over 20 sessions in which two prices double."""
    close = 50 * 2 ** (np.arange(20)[:, None] / 19) * np.array([1.0, 2.0])
    panel = MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(20),
        tickers=("AA", "BB"),
        close=close,
        features=np.zeros((20, 2, 0)),
        feature_names=(),
        turbulence=np.zeros(20),
    )

    def make(*overrides: str) -> dict[str, float]:
        settings = compose_settings(TrainRlAgentSettings, "train_rl_agent", ["environment.indicators=[]", *overrides])
        return validate(EqualWeightPolicy(), panel, slice(0, 20), settings.environment, 252)

    return make


def test_costs_and_slippage_are_the_environments(figures: Figures) -> None:
    free = figures("environment.buy_cost_fraction=0.0")["validation_total_return"]
    costly = figures("environment.buy_cost_fraction=0.01")["validation_total_return"]
    slipping = figures("environment.buy_cost_fraction=0.0", "environment.slippage_bps=100")["validation_total_return"]
    assert 0.9 < free < 1.0
    assert costly == pytest.approx((1 + free) / 1.01 - 1, abs=2e-3)
    assert slipping == pytest.approx(costly, abs=1e-4)


def test_costs_may_differ_by_ticker(figures: Figures) -> None:
    one = figures("environment.buy_cost_fraction={AA: 0.02, BB: 0.0}")["validation_total_return"]
    both = figures("environment.buy_cost_fraction={AA: 0.01, BB: 0.01}")["validation_total_return"]
    assert one == pytest.approx(both, abs=2e-3)
    assert one != both
