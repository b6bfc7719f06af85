"""What tianshou computes of given observations and transitions, for the row to compare."""

from typing import Any

import numpy as np
import rainbow_task
import torch
from tianshou.algorithm.modelfree.rainbow import RainbowDQN
from tianshou.data import Batch, PrioritizedReplayBuffer
from tianshou.utils.torch_utils import policy_within_training_step
from tianshou_training import load, make_algorithm, their_name

Arrays = dict[str, np.ndarray]


class FirstOnes(PrioritizedReplayBuffer):
    """Draws the oldest transitions; keeps priorities as they are given."""

    def __init__(self, size: int) -> None:
        super().__init__(size, alpha=1.0, beta=rainbow_task.training().importance_exponent)

    def sample_indices(self, batch_size: int | None) -> np.ndarray:
        """The first ones."""
        return np.arange(batch_size or len(self))


class Watched(RainbowDQN):
    """Keeps the target distributions (B, Z) of its last update."""

    def _target_dist(self, batch: Any) -> torch.Tensor:
        self.target = super()._target_dist(batch)
        return self.target


def q_values() -> np.ndarray:
    """(T, 2) of the observations played, without noise."""
    policy = make_algorithm(discount=1.0, n_steps=1).policy.eval()
    load(policy.model, rainbow_task.network(1))
    seen = np.concatenate([played.observation for played in rainbow_task.play()])
    with torch.no_grad():
        told = policy(Batch(obs=seen, info=Batch()))
        return policy.compute_q_value(told.logits, None).numpy()


def update(n_steps: int) -> Arrays:
    """What one gradient step on given transitions tells and leaves, under noise of size 0."""
    algorithm = make_algorithm(discount=rainbow_task.CHECKED_DISCOUNT, n_steps=n_steps, kind=Watched)
    load(algorithm.policy.model, rainbow_task.network(1, is_quiet=True))
    load(algorithm.model_old, rainbow_task.network(2, is_quiet=True))
    algorithm._iter = 1  # its first update would copy the one network to the other
    buffer, size = _filled(), rainbow_task.training().batch_size
    buffer.update_weight(np.arange(size), rainbow_task.checked_priorities(size))
    with policy_within_training_step(algorithm.policy):
        told = algorithm.update(buffer=buffer, sample_size=size)
    trained = dict(algorithm.policy.model.named_parameters())
    means = {
        f"mean.{name}": trained[their_name(name)].detach().numpy()
        for name, _ in rainbow_task.network(1).named_parameters()
        if not name.endswith("_sigma")
    }
    assert isinstance(algorithm, Watched)
    cross_entropy = np.asarray(buffer.weight[np.arange(size)])
    return {"loss": np.array(told.loss), "target": algorithm.target.numpy(), "cross_entropy": cross_entropy, **means}


def _filled() -> FirstOnes:
    buffer = FirstOnes(rainbow_task.CHECKED_STEPS)
    for observation, (action,), step in rainbow_task.play():
        row = {"obs": observation[0], "act": action, "rew": step.rewards[0], "terminated": step.is_last[0]}
        seen = step.last_observations if step.is_last[0] else step.observations
        buffer.add(Batch(**row, obs_next=seen[0], truncated=np.False_, info={}))
    return buffer
