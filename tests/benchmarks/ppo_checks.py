"""What is shown equal before PPO is timed: the network, the learner and the environment's rewards."""

from collections.abc import Sequence
from typing import Any

import finrl_ppo
import numpy as np
import numpy.typing as npt
import our_ppo
import torch
from comparison import NotEqualError, require_equal
from finrl_peers import stable_sort_in_finrl, stock_trading_env
from our_ppo import EQUAL_BATCH, FREE, SHIPPED, Schedule
from real_market import RealMarket
from stable_baselines3 import PPO
from validation import validation_rewards

from MLOps.agents.fast_ppo import FastPPO
from MLOps.market.panel import MarketPanel

_WEIGHTS_RTOL, _WEIGHTS_ATOL = 1e-5, 5e-6  # float32, summed in another order


def check(panel: MarketPanel, market: RealMarket) -> str:
    """Same network, same learning, same pay.

    Both sides train the same network; our learner and the library's end a rollout and its update on our environment
    with the same weights; a policy of FinRL's earns the same in FinRL's environment and in ours.
    """
    _require_same_amount_of_work(panel)
    learners = "; ".join(_check_learner(panel, schedule) for schedule in (FREE, SHIPPED, EQUAL_BATCH))
    return f"{learners}; {_check_rewards(market)}"


def _require_same_amount_of_work(panel: MarketPanel) -> None:
    peer = finrl_ppo.make_model(panel, 0)
    shapes = [tuple(p.shape) for p in peer.policy.parameters()]
    for schedule in (FREE, SHIPPED, EQUAL_BATCH):
        ours = our_ppo.make_model(panel, schedule, 0)
        if (
            [tuple(p.shape) for p in ours.policy.parameters()] != shapes
            or peer.n_epochs != ours.n_epochs
            or _rollout(peer) != _rollout(ours)
        ):
            raise NotEqualError(f"networks, epochs or rollouts differ: the peer's and {schedule}")


def _check_learner(panel: MarketPanel, schedule: Schedule) -> str:
    """One rollout and update of our PPO and of the library's; compiles ours too."""
    ours, theirs = _weights_learnt(panel, schedule, FastPPO), _weights_learnt(panel, schedule, PPO)
    return require_equal(f"weights at batch {schedule.batch_size}", ours, theirs, _WEIGHTS_RTOL, _WEIGHTS_ATOL)


def _weights_learnt(panel: MarketPanel, schedule: Schedule, algorithm: type[PPO]) -> npt.NDArray[np.float32]:
    model = our_ppo.make_model(panel, schedule, 0, algorithm).learn(1)  # torch's generator is seeded as it is made
    return torch.nn.utils.parameters_to_vector(model.policy.parameters()).detach().numpy()


def _check_rewards(market: RealMarket) -> str:
    judged = finrl_ppo.make_model(market.train, 0)
    finrl_env = stock_trading_env(market.validation)
    state, _ = finrl_env.reset()
    finrl = []
    with stable_sort_in_finrl():
        for _ in range(len(market.validation.dates) - 1):
            state, reward, *_ = finrl_env.step(judged.predict(_as_seen(state), deterministic=True)[0])
            finrl.append(reward)
    ours_rewards = validation_rewards(judged, market.validation)
    return require_equal("daily rewards of one policy over the validation window", ours_rewards, finrl, 1e-9, 1e-9)


def _as_seen(state: Sequence[float]) -> Any:
    return torch.tensor(state, dtype=torch.float32).numpy()


def _rollout(model: Any) -> int:
    return int(model.n_steps * model.n_envs)
