"""What a trained policy earns where it has not learnt: one environment and one accounting for both sides."""

from typing import TYPE_CHECKING

import numpy as np
from finrl_peers import COST_FRACTION, INITIAL_CASH, REWARD_SCALING
from our_environment import make_batch

from MLOps.evaluation.backtest import run_policy
from MLOps.inference.model_folder import Normalisation
from MLOps.inference.policy import EqualWeightPolicy
from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings

if TYPE_CHECKING:
    from stable_baselines3 import PPO


def validation_reward(model: "PPO", window: MarketPanel, normalisation: Normalisation | None = None) -> float:
    """Sum of the rewards over a window, from its first close to its last, of the deterministic policy.

    Parameters
    ----------
    model : PPO
        Saw such observations while it learnt.
    window : MarketPanel
        Not learnt from.
    normalisation : Normalisation, optional
        Of ours; FinRL's policies see raw observations.
    """
    return float(sum(validation_rewards(model, window, normalisation)))


def validation_rewards(model: "PPO", window: MarketPanel, normalisation: Normalisation | None = None) -> list[float]:
    """The rewards one by one."""
    batch = make_batch(window, 1, normalisation, indicators=window.feature_names)
    observations, rewards = batch.reset(), []
    for _ in range(len(window.dates) - 1):
        actions, _ = model.predict(observations.astype(np.float32), deterministic=True)
        step = batch.step(actions)
        observations = step.observations
        rewards.append(float(step.rewards[0]))
    return rewards


def equal_weight_reward(window: MarketPanel) -> float:
    """What buying equal parts and holding them earns, in the same unit: the yardstick that needs no learning."""
    account = AccountSettings(
        starting_cash=INITIAL_CASH,
        buy_cost_bps=1e4 * COST_FRACTION,
        sell_cost_bps=1e4 * COST_FRACTION,
        execution_lag_sessions=0,
        allow_fractional_shares=False,
        slippage_bps=0,
        linear_impact_bps=0,
        root_impact_bps=0,
    )
    wealth = run_policy(EqualWeightPolicy(), window, slice(0, len(window.dates)), account).wealth
    return REWARD_SCALING * float(wealth[-1] - wealth[0])
