"""The peer's training: FinRL's environment under Stable-Baselines3's PPO, set up as FinRL's users do."""

from typing import TYPE_CHECKING

from finrl_peers import stock_trading_env

from MLOps.market.panel import MarketPanel

if TYPE_CHECKING:
    from stable_baselines3 import PPO

HIDDEN_SIZES = (64, 64)
EPOCHS, BATCH, ROLLOUT_STEPS = 10, 64, 2_048  # Stable-Baselines3's defaults, which FinRL leaves alone


def make_model(panel: MarketPanel, seed: int) -> "PPO":
    """PPO on one environment of FinRL, whose observations are raw: a million in cash beside an index of 50."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    return PPO(
        "MlpPolicy",
        DummyVecEnv([lambda: stock_trading_env(panel)]),
        n_steps=ROLLOUT_STEPS,
        batch_size=BATCH,
        n_epochs=EPOCHS,
        policy_kwargs={"net_arch": list(HIDDEN_SIZES)},
        seed=seed,
        device="cpu",
    )
