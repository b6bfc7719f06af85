"""Our training: the batched environment under PPO in Stable-Baselines3's interface."""

from dataclasses import dataclass

import yaml
from finrl_peers import INITIAL_CASH
from finrl_ppo import BATCH, EPOCHS, HIDDEN_SIZES, ROLLOUT_STEPS
from our_environment import make_batch
from stable_baselines3 import PPO

from MLOps.agents.fast_ppo import FastPPO
from MLOps.environments.sb3_face import StockTradingVecEnv
from MLOps.inference.model_folder import Normalisation
from MLOps.inference.observation import fit_normalisation
from MLOps.market.panel import MarketPanel
from MLOps.settings.project import project_root

_LIMIT = 10.0


@dataclass(frozen=True)
class Schedule:
    """How samples are gathered and learnt from; epochs and network are the peer's.

    Attributes
    ----------
    n_envs : int
        Accounts that play at once, each from a random session on.
    n_steps : int
        Sessions that each plays between two updates.
    batch_size : int
        Samples in a gradient step.
    learning_rate : float
        A large batch makes few gradient steps, so it takes larger ones.
    """

    n_envs: int
    n_steps: int
    batch_size: int
    learning_rate: float


def shipped_hyperparameters() -> dict[str, float | bool | None]:
    """What the platform trains with by default, all of it."""
    path = project_root() / "hyperparameters" / "sb3" / "ppo.yaml"
    hyperparameters: dict[str, float | bool | None] = yaml.safe_load(path.read_text())
    return hyperparameters


def shipped_schedule() -> Schedule:
    """The part of it that differs from Stable-Baselines3's defaults."""
    shipped = shipped_hyperparameters()
    return Schedule(**{name: shipped[name] for name in Schedule.__dataclass_fields__})  # type: ignore[arg-type]


FREE = Schedule(n_envs=64, n_steps=ROLLOUT_STEPS // 64, batch_size=512, learning_rate=2e-3)
EQUAL_BATCH = Schedule(n_envs=64, n_steps=ROLLOUT_STEPS // 64, batch_size=BATCH, learning_rate=3e-4)
SHIPPED = shipped_schedule()


def make_model(panel: MarketPanel, schedule: Schedule, seed: int, algorithm: type[PPO] = FastPPO) -> PPO:
    """PPO, by default our own, on many of our accounts, whose observations are normalised."""
    batch = make_batch(
        panel,
        schedule.n_envs,
        normalisation_of(panel),
        random_start=True,
        episode_sessions=None,
        indicators=panel.feature_names,
    )
    return algorithm(
        "MlpPolicy",
        StockTradingVecEnv(batch),
        learning_rate=schedule.learning_rate,
        n_steps=schedule.n_steps,
        batch_size=schedule.batch_size,
        n_epochs=EPOCHS,
        policy_kwargs={"net_arch": list(HIDDEN_SIZES)},
        seed=seed,
        device="cpu",
    )


def normalisation_of(train: MarketPanel) -> Normalisation:
    """Fitted on the training window alone."""
    return fit_normalisation(train, INITIAL_CASH, _LIMIT)
