"""The peer's Rainbow, set up as its own examples do it, with our sizes; imported where tianshou can be."""

import random
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import numpy.typing as npt
import rainbow_task
import torch
from gymnasium.spaces import Box, Discrete
from tianshou.algorithm.modelfree.c51 import C51Policy
from tianshou.algorithm.modelfree.rainbow import RainbowDQN
from tianshou.algorithm.optim import AdamOptimizerFactory, OptimizerFactory, TorchOptimizerFactory
from tianshou.data import Collector, PrioritizedVectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainer, OffPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import NoisyLinear
from torch import nn
from update_clock import Spent, UpdateClock

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.dca_timing import observations_of, rewards_of
from MLOps.environments.dca_timing_kernel import ACTIONS, BUY
from MLOps.networks.dueling_categorical import RainbowNetwork

_WARM_UP = 512
_STREAMS = {"value": "V", "advantage": "Q"}
_LAYERS = {"hidden": 0, "out": 2}
_NOISY = {"weight": "mu_W", "bias": "mu_bias", "weight_sigma": "sigma_W", "bias_sigma": "sigma_bias"}

Float32Array = npt.NDArray[np.float32]
Outcome = tuple[Float32Array, float, bool, bool, dict[str, Any]]


class Look(NamedTuple):
    """All that an environment can show and pay: observations (C, steps, D) and rewards (C, steps)."""

    observations: Float32Array
    rewards: list[list[float]]


class BuyTiming(gymnasium.Env[Float32Array, int]):
    """Our environment's dynamics over what was computed before: a look-up is all that a step costs."""

    action_space = Discrete(ACTIONS)
    observation_space = Box(-np.inf, np.inf, (rainbow_task.SIZE,), np.float32)

    def __init__(self, look: Look, seed: int) -> None:
        self._look, self._random = look, random.Random(seed)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Float32Array, dict]:  # noqa: ARG002
        """Begin at any step of a cycle, as ours does."""
        cycle, self._step = self._random.randrange(len(self._look.rewards)), self._random.randrange(rainbow_task.STEPS)
        self._seen, self._paid = self._look.observations[cycle], self._look.rewards[cycle]
        return self._seen[self._step], {}

    def step(self, action: int) -> Outcome:
        """Hold, or buy and end."""
        now = self._step
        if action == BUY or now == rainbow_task.STEPS - 1:
            return self._seen[now], self._paid[now], True, False, {}
        self._step = now + 1
        return self._seen[now + 1], 0.0, False, False, {}


class UnsearchedReplay(PrioritizedVectorReplayBuffer):
    """Says that it holds no NaN without a look: the trainer has all that is stored looked through in each round."""

    def hasnull(self) -> bool:
        """Never here."""
        return False


def look() -> Look:
    """Of the cycles that both sides play."""
    cycles = rainbow_task.cycles()
    return Look(observations_of(cycles), rewards_of(cycles, rainbow_task.environment()).tolist())


def make_algorithm(
    *,
    discount: float,
    n_steps: int,
    optimizer: OptimizerFactory | None = None,
    kind: type[RainbowDQN] = RainbowDQN,
) -> RainbowDQN:
    """With the layers, atoms and Adam of our settings; by default Adam is fused, which is the faster one here."""
    model, training = rainbow_task.model(), rainbow_task.training()

    def noisy(inputs: int, outputs: int) -> NoisyLinear:
        return NoisyLinear(inputs, outputs, model.noisy_sigma)

    stream = {"hidden_sizes": [model.stream_size], "linear_layer": noisy}
    net = Net(
        state_shape=rainbow_task.SIZE,
        action_shape=ACTIONS,
        hidden_sizes=model.hidden_sizes,
        softmax=True,
        num_atoms=model.atoms,
        dueling_param=(stream, stream),
    )
    v_min, v_max = model.support
    policy = C51Policy(model=net, action_space=BuyTiming.action_space, num_atoms=model.atoms, v_min=v_min, v_max=v_max)
    adam = {"lr": training.learning_rate, "eps": training.adam_epsilon}
    return kind(
        policy=policy,
        optim=optimizer or TorchOptimizerFactory(torch.optim.Adam, fused=True, **adam),
        gamma=discount,
        n_step_return_horizon=n_steps,
        target_update_freq=training.target_update_every,
    )


def plain_adam() -> OptimizerFactory:
    """The optimizer that its examples take."""
    training = rainbow_task.training()
    return AdamOptimizerFactory(lr=training.learning_rate, eps=training.adam_epsilon)


def their_name(name: str) -> str:
    """What the peer's network calls a parameter of ours."""
    part, layer, kind = name.split(".")
    if part == "trunk":
        return f"model.model.{2 * int(layer)}.{kind}"
    return f"{_STREAMS[part]}.model.{_LAYERS[layer]}.{_NOISY[kind]}"


@torch.no_grad()
def load(net: nn.Module, ours: RainbowNetwork) -> None:
    """Take over all of our network's parameters."""
    theirs = dict(net.named_parameters())
    trained = {name for name, parameter in theirs.items() if parameter.requires_grad}
    named = {their_name(name): parameter for name, parameter in ours.named_parameters()}
    assert trained == set(named), trained ^ set(named)
    for name, parameter in named.items():
        theirs[name].copy_(parameter)


class TheirTraining:
    """A training of `n_envs` environments that is past its first updates.

    Parameters
    ----------
    n_envs : int
    all_seen : Look
        What they show.
    is_stock : bool
        With the replay and the optimizer that its examples take, in place of the faster ones.
    """

    def __init__(self, n_envs: int, all_seen: Look, *, is_stock: bool = False) -> None:
        model, training = rainbow_task.model(), rainbow_task.training()
        torch.manual_seed(training.seed)
        np.random.seed(training.seed)
        optimizer = plain_adam() if is_stock else None
        algorithm = make_algorithm(discount=training.discount, n_steps=model.n_steps, optimizer=optimizer)
        load(algorithm.policy.model, RainbowAgent(rainbow_task.SIZE, ACTIONS, model, training).network)
        self._clock = UpdateClock()
        algorithm.update = self._clock.around(algorithm.update)
        replay = PrioritizedVectorReplayBuffer if is_stock else UnsearchedReplay
        self._collector = Collector(
            algorithm.policy,
            DummyVectorEnv([lambda seed=seed: BuyTiming(all_seen, seed) for seed in range(n_envs)]),
            replay(
                training.replay_capacity,
                n_envs,
                alpha=training.priority_exponent,
                beta=training.importance_exponent,
            ),
        )
        frames_per_update = int(training.frames_per_update)
        self._parameters = OffPolicyTrainerParams(
            training_collector=self._collector,
            collection_step_num_env_steps=max(n_envs, frames_per_update),
            update_step_num_gradient_steps_per_sample=1 / frames_per_update,
            batch_size=training.batch_size,
            verbose=False,
            show_progress=False,
        )
        self._trainer = OffPolicyTrainer(algorithm, self._parameters)
        self._trainer.reset()
        self._collector.collect(n_step=-(-training.learning_starts // n_envs) * n_envs)
        self._play(_WARM_UP)

    def spend(self, frames: int) -> Spent:
        """Train on for so many frames."""
        return self._clock.spent(lambda: self._play(frames))

    def _play(self, frames: int) -> tuple[int, int]:
        collector = self._collector
        first, first_episodes = collector.collect_step, collector.collect_episode
        self._parameters.epoch_num_steps = frames
        self._trainer.execute_epoch()
        return int(collector.collect_step - first), int(collector.collect_episode - first_episodes)
