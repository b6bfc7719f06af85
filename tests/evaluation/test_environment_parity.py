"""Without lag and on the environment's terms, a backtest of a policy is the environment's path, to the last bit."""

from collections.abc import Callable

import numpy as np
import pytest
import yaml

from MLOps.environments.stock_trading import StockTradingBatch
from MLOps.environments.stock_trading_arrays import trading_terms
from MLOps.evaluation.backtest import run_policy
from MLOps.inference.model_folder import MlpActorCard
from MLOps.inference.observation import fit_normalisation, observation_size
from MLOps.inference.policy import MlpActorPolicy
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings
from MLOps.settings.environment import EnvironmentSettings
from MLOps.settings.project import project_root

SESSIONS, TICKERS, CASH = 250, 9, 40_000.0
BY_TICKER = {f"T{n:02d}": 0.001 * n for n in range(TICKERS)}
CASES = {
    "share orders": {},
    "share orders in parts": {"is_fractional": True, "max_shares_per_order": 7},
    "weights": {"actions": "target_weights"},
    "weights in parts": {"actions": "target_weights", "is_fractional": True},
    "turbulence": {"turbulence_threshold": 8.0},
    "turbulence and weights": {"turbulence_threshold": 8.0, "actions": "target_weights"},
    "costs by ticker": {"buy_cost_fraction": BY_TICKER, "sell_cost_fraction": BY_TICKER},
    "slippage": {"slippage_bps": 20},
    "impact": {"linear_impact_bps": 200, "root_impact_bps": 100},
    "all together": {
        "actions": "target_weights",
        "is_fractional": True,
        "turbulence_threshold": 8.0,
        "slippage_bps": 5,
        "linear_impact_bps": 200,
        "root_impact_bps": 100,
        "buy_cost_fraction": BY_TICKER,
    },
}


@pytest.fixture(scope="module")
def market() -> MarketPanel:
    """A market whose volumes are so small that the impact bites, with a turbulent day in five."""
    generator = np.random.default_rng(12)
    shape = (SESSIONS, TICKERS)
    return MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(SESSIONS),
        tickers=tuple(f"T{n:02d}" for n in range(TICKERS)),
        close=50 * np.exp(np.cumsum(generator.normal(3e-4, 0.02, shape), axis=0)),
        features=generator.normal(size=(*shape, 2)),
        feature_names=("macd", "rsi_30"),
        turbulence=generator.uniform(0, 10, SESSIONS),
        volume=generator.uniform(0, 500, shape),
    )


def environment_settings(**changes: object) -> EnvironmentSettings:
    file = project_root() / "config" / "environments" / "stock_trading_env_config.yaml"
    fixed = {"initial_amount": CASH, "max_shares_per_order": 40, "indicators": ["macd", "rsi_30"]}
    return EnvironmentSettings.model_validate(yaml.safe_load(file.read_text()) | fixed | changes)


def restless_policy(market: MarketPanel, settings: EnvironmentSettings) -> MlpActorPolicy:
    """A drawn perceptron whose actions leap with the features."""
    size, draw = observation_size(TICKERS, 2), np.random.default_rng(3).normal
    is_shares = settings.actions == "share_orders"
    card = MlpActorCard.model_validate(
        {
            "architecture": {"hidden_sizes": [16], "activation": "tanh", "squash": "clip"},
            "observation": {"tickers": market.tickers, "indicators": market.feature_names, "size": size},
            "normalisation": fit_normalisation(market, CASH, 10.0),
            "action": {
                "kind": settings.actions,
                "max_shares_per_order": settings.max_shares_per_order if is_shares else None,
                "is_fractional": settings.is_fractional,
                "turbulence_threshold": settings.turbulence_threshold,
            },
            "environment": {},
            "windows": {},
            "provenance": {},
        }
    )
    return MlpActorPolicy(card, [(draw(size=(size, 16)), draw(size=16)), (draw(size=(16, TICKERS)) / 8, np.zeros(9))])


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES.keys())
def test_a_backtest_is_the_environments_path(
    market: MarketPanel, make_account: Callable[..., AccountSettings], changes: dict
) -> None:
    settings = environment_settings(**changes)
    policy = restless_policy(market, settings)
    environment = StockTradingBatch(market, settings, None, n_envs=1, seed=0)
    observation, wealth, shares, costs = environment.reset()[0], [CASH], [], []
    for _ in range(SESSIONS - 1):
        action = policy.actions(observation).astype(np.float32)
        step = environment.step(action[None])
        accounts = environment.accounts
        wealth.append(wealth[-1] + step.rewards[0] / settings.reward_scaling)
        if step.is_last[0]:
            break
        assert accounts.wealth[0] == pytest.approx(wealth[-1], rel=1e-12)
        wealth[-1] = accounts.wealth[0]
        shares.append(accounts.shares[0].copy())
        costs.append(accounts.cost[0])
        observation = step.observations[0]

    terms = trading_terms(market.tickers, settings)
    path = run_policy(policy, market, slice(0, SESSIONS), make_account(starting_cash=CASH), terms)

    assert len(wealth) == SESSIONS
    np.testing.assert_array_equal(path.wealth[:-1], wealth[:-1])
    np.testing.assert_allclose(path.wealth[-1], wealth[-1], rtol=1e-12)
    np.testing.assert_array_equal(path.shares[:-2], shares)
    np.testing.assert_allclose(np.cumsum(path.costs)[:-2], costs, rtol=1e-12)
    assert np.count_nonzero(path.sold) > 30
    assert np.count_nonzero(path.bought) > 60
    if settings.turbulence_threshold is not None:
        is_turbulent = market.turbulence[:-1] >= settings.turbulence_threshold
        is_liquid = settings.linear_impact_bps == 0
        assert not (path.shares[:-1][is_turbulent].any() and is_liquid)
