"""Agents of ElegantRL: PPO and DDPG, in a loop of our own.

ElegantRL's ``train_agent`` deletes its working folder, prints, and can neither report nor resume, so
only its agents, networks and replay buffer are used.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from elegantrl.agents import AgentDDPG, AgentPPO
from elegantrl.train import Config, ReplayBuffer

from MLOps.agents.agent import Actor, Float32Array, Observer
from MLOps.agents.weights import are_finite, layer_weights
from MLOps.environments.gymnasium_face import StockTradingEnv
from MLOps.settings.agent import ElegantRlDdpg, ElegantRlPpo, ElegantRlSettings

_CPU = -1
_NETWORKS = ("act", "cri", "act_target", "cri_target")
_OPTIMISERS = ("act_optimizer", "cri_optimizer")
_REPLAY_ARRAYS = ("states", "actions", "rewards", "undones")
_REPLAY_COUNTERS = ("p", "if_full", "cur_size", "add_size")


class ElegantRlAgent:
    """One of ElegantRL's agents on our environment.

    Parameters
    ----------
    settings : ElegantRlSettings
        Algorithm, network and hyperparameters.
    environment : StockTradingEnv
        Played by the agent alone.
    seed : int
        Seed of torch's global generator, from which the library draws.
    """

    def __init__(self, settings: ElegantRlSettings, environment: StockTradingEnv, seed: int) -> None:
        torch.manual_seed(seed)
        environment.action_space.seed(seed)
        self._settings = settings
        self._player = _Player(environment)
        self._agent, self._buffer = _make_agent(settings, environment)
        self._agent.last_state = torch.from_numpy(self._player.reset()).unsqueeze(0)
        self._timesteps = 0

    def learn(self, total_timesteps: int, observer: Observer) -> int:
        """Play and update until `total_timesteps`, rounded up to a whole horizon; gives the sessions played."""
        if self._timesteps == 0 and isinstance(self._settings, ElegantRlDdpg):
            self._buffer.update(self._play(self._settings.hyperparameters.warmup_steps, observer, is_random=True))
        while self._timesteps < total_timesteps:
            observer.paused(self._timesteps)
            experience = self._play(self._settings.hyperparameters.horizon_len, observer)
            figures = self._update(experience)
            observer.reported(self._timesteps, figures | self._player.figures())
        return self._timesteps

    def _play(self, sessions: int, observer: Observer, *, is_random: bool = False) -> tuple[torch.Tensor, ...]:
        with torch.no_grad():
            experience: tuple[torch.Tensor, ...] = self._agent.explore_env(self._player, sessions, is_random)
        self._timesteps += sessions
        observer.stepped(self._timesteps)
        return experience

    def _update(self, experience: tuple[torch.Tensor, ...]) -> dict[str, float]:
        if self._buffer is None:
            critic, actor, log_std = self._agent.update_net(experience)
            return {"train/critic_loss": critic, "train/actor_objective": actor, "train/log_std": log_std}
        self._buffer.update(experience)
        critic, actor = self._agent.update_net(self._buffer)
        return {"train/critic_loss": critic, "train/actor_objective": actor}

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        return are_finite([*self._agent.act.parameters(), *self._agent.cri.parameters()])

    def state(self) -> dict[str, Any]:
        """Networks, optimisers, last observation, replay buffer and environment."""
        agent, buffer = self._agent, self._buffer
        return {
            "networks": {name: getattr(agent, name).state_dict() for name in _NETWORKS},
            "optimisers": {name: getattr(agent, name).state_dict() for name in _OPTIMISERS},
            "timesteps": self._timesteps,
            "last_state": agent.last_state,
            "replay": None if buffer is None else _replay_state(buffer),
            "player": self._player.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for part in ("networks", "optimisers"):
            for name, values in state[part].items():
                getattr(self._agent, name).load_state_dict(values)
        self._timesteps = state["timesteps"]
        self._agent.last_state = state["last_state"]
        if self._buffer is not None:
            for name, tensor in state["replay"]["arrays"].items():
                getattr(self._buffer, name)[: len(tensor)] = tensor
            for name, value in state["replay"]["counters"].items():
                setattr(self._buffer, name, value)
        self._player.restore(state["player"])

    def actor(self) -> Actor:
        """What has been learnt."""
        network = self._settings.network
        return Actor(network.hidden_sizes, network.activation, "tanh", layer_weights(self._agent.act.net))

    def act(self, observations: Float32Array) -> Float32Array:
        """The library's own deterministic actions (B, N) for normalised observations (B, D)."""
        with torch.no_grad():
            return np.asarray(self._agent.act(torch.from_numpy(observations)).numpy())

    def export(self, folder: Path) -> None:
        """Write the actor's state dict, to be read with ``torch.load(path, weights_only=True)``."""
        torch.save(self._agent.act.state_dict(), folder / f"elegantrl_{self._settings.algorithm}_actor.pth")


class _Player:
    """The environment as ElegantRL calls it: ``reset() -> state``, ``step() -> (state, reward, done, info)``."""

    def __init__(self, environment: StockTradingEnv) -> None:
        self._environment = environment
        self._last_episode: dict[str, float] = {}

    def reset(self) -> Float32Array:
        return self._environment.reset()[0]

    def step(self, action: Float32Array) -> tuple[Float32Array, float, bool, dict[str, Any]]:
        state, reward, is_terminated, is_cut, info = self._environment.step(action)
        is_last = is_terminated or is_cut
        if is_last:
            self._last_episode = {"episode_reward": info["episode"]["r"], "episode_length": info["episode"]["l"]}
        return state, reward, is_last, info

    def figures(self) -> dict[str, float]:
        """Reward and length of the last whole episode; empty before the first has ended."""
        return self._last_episode

    def state(self) -> dict[str, Any]:
        return {"environment": self._environment.state(), "last_episode": self._last_episode}

    def restore(self, state: dict[str, Any]) -> None:
        self._environment.restore(state["environment"])
        self._last_episode = state["last_episode"]


def _make_agent(settings: ElegantRlSettings, environment: StockTradingEnv) -> tuple[Any, Any]:
    """The agent, and its replay buffer if it has one."""
    states, actions = environment.observation_space.shape, environment.action_space.shape
    assert states is not None
    assert actions is not None
    agent_class = AgentPPO if isinstance(settings, ElegantRlPpo) else AgentDDPG
    arguments = Config(
        agent_class,
        env_args={
            "env_name": "stock_trading",
            "state_dim": states[0],
            "action_dim": actions[0],
            "if_discrete": False,
        },
    )
    values = settings.hyperparameters.model_dump()
    values["gpu_id"] = _CPU
    # the library's own running normalisation stays off, for the environment normalises already
    values["state_value_tau"] = 0
    for name, value in values.items():
        setattr(arguments, name, value)
    sizes = list(settings.network.hidden_sizes)
    agent = agent_class(sizes, states[0], actions[0], gpu_id=_CPU, args=arguments)
    if isinstance(settings, ElegantRlPpo):
        return agent, None
    size = settings.hyperparameters.buffer_size
    return agent, ReplayBuffer(size, states[0], actions[0], gpu_id=_CPU, args=arguments)


def _replay_state(buffer: Any) -> dict[str, Any]:
    """The filled part of the replay buffer."""
    return {
        "arrays": {name: getattr(buffer, name)[: buffer.cur_size].clone() for name in _REPLAY_ARRAYS},
        "counters": {name: getattr(buffer, name) for name in _REPLAY_COUNTERS},
    }
