"""What a trained policy earns where it has not learnt: one environment and one accounting for both sides."""

from typing import TYPE_CHECKING

import numpy as np
from our_environment import make_batch

from MLOps.inference.model_folder import Normalisation
from MLOps.market.panel import MarketPanel

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
