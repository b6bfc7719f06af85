"""Agents of Stable-Baselines3: PPO, A2C, DDPG, TD3 and SAC, each playing many accounts at once."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import A2C, DDPG, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch import nn

from MLOps.agents.agent import Actor, Float32Array, Observer
from MLOps.agents.fast_ppo import FastPPO
from MLOps.agents.replay import BatchedReplay, GaussianNoise
from MLOps.agents.rollouts import BatchedRollouts
from MLOps.agents.weights import activation_class, are_finite, layer_weights
from MLOps.environments.sb3_face import StockTradingVecEnv
from MLOps.settings.agent import Sb3Settings

_COUNTERS = ("num_timesteps", "_episode_num", "_n_updates", "_current_progress_remaining")
_LAST_SEEN = ("_last_obs", "_last_original_obs", "_last_episode_starts")
_FIGURE_NAMES = {"rollout/ep_rew_mean": "episode_reward", "rollout/ep_len_mean": "episode_length"}
_REPORT_TIMESTEPS = 2048


class _A2c(BatchedRollouts, A2C):
    """A2C."""


class _Ddpg(BatchedReplay, DDPG):
    """DDPG."""


class _Td3(BatchedReplay, TD3):
    """TD3."""


class _Sac(BatchedReplay, SAC):
    """SAC."""


_ALGORITHMS: dict[str, type[BaseAlgorithm]] = {"ppo": FastPPO, "a2c": _A2c, "ddpg": _Ddpg, "td3": _Td3, "sac": _Sac}


class Sb3Agent:
    """One of Stable-Baselines3's algorithms on our environment.

    Parameters
    ----------
    settings : Sb3Settings
        Algorithm, network and hyperparameters.
    environment : StockTradingVecEnv
        Played by the agent alone.
    seed : int
        Seed of the library's generators (Python's, NumPy's and torch's global ones) and of the actions.
    """

    def __init__(self, settings: Sb3Settings, environment: StockTradingVecEnv, seed: int) -> None:
        self._settings, self._environment = settings, environment
        self._model = _make_model(settings, environment, seed)

    def learn(self, total_timesteps: int, observer: Observer) -> int:
        """Play and update until `total_timesteps`, rounded up to a whole update; gives the sessions played."""
        model = self._model
        model.set_logger(Logger(folder=None, output_formats=[_FigureWriter(observer)]))
        model.learn(
            total_timesteps - model.num_timesteps,
            callback=_Reports(observer),
            log_interval=_log_interval(model),
            reset_num_timesteps=model.num_timesteps == 0,
        )
        model.dump_logs()  # the last update's losses
        return int(model.num_timesteps)

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        return are_finite(self._model.policy.parameters())

    def state(self) -> dict[str, Any]:
        """Networks, optimisers, counters, last observation, replay buffer and environment."""
        model = self._model
        _, tensors = model._get_torch_save_params()
        assert model.ep_info_buffer is not None
        return {
            "parameters": model.get_parameters(),
            "tensors": {name: getattr(model, name).detach().clone() for name in tensors},
            "counters": {name: getattr(model, name) for name in _COUNTERS},
            "last_seen": {name: _to_tensor(getattr(model, name, None)) for name in _LAST_SEEN},
            "episodes": list(model.ep_info_buffer),
            "replay": _replay_state(model),
            "environment": self._environment.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        model = self._model
        model.set_parameters(state["parameters"], exact_match=True)
        for name, tensor in state["tensors"].items():
            getattr(model, name).data.copy_(tensor)
        for name, value in state["counters"].items():
            setattr(model, name, value)
        for name, tensor in state["last_seen"].items():
            setattr(model, name, None if tensor is None else tensor.numpy())
        model.ep_info_buffer = deque(state["episodes"], maxlen=model._stats_window_size)
        model.ep_success_buffer = deque(maxlen=model._stats_window_size)
        _restore_replay(model, state["replay"])
        self._environment.restore(state["environment"])

    def actor(self) -> Actor:
        """What has been learnt."""
        network = self._settings.network
        modules, squash = _acting_modules(self._model)
        weights = layer_weights(modules)
        return Actor(network.hidden_sizes, network.activation, "tanh" if squash else "clip", weights)

    def act(self, observations: Float32Array) -> Float32Array:
        """The library's own deterministic actions (B, N) for normalised observations (B, D)."""
        return np.asarray(self._model.predict(observations, deterministic=True)[0], dtype=np.float32)

    def export(self, folder: Path) -> None:
        """Write Stable-Baselines3's own archive; it carries pickle, so load it only where you trust it."""
        self._model.save(folder / f"sb3_{self._settings.algorithm}.zip")


class _Reports(BaseCallback):
    """Passes on what the library's loop calls back."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def _on_rollout_start(self) -> None:
        self._observer.paused(self.num_timesteps)

    def _on_step(self) -> bool:
        self._observer.stepped(self.num_timesteps)
        return True


class _FigureWriter(KVWriter):
    """Passes on what the library logs, without its clock's figures."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],  # noqa: ARG002 - the library's signature
        step: int = 0,
    ) -> None:
        figures: Mapping[str, float] = {
            _FIGURE_NAMES.get(key, key): float(value)
            for key, value in key_values.items()
            if key.startswith(("rollout/", "train/"))
        }
        self._observer.reported(step, figures)


def _make_model(settings: Sb3Settings, environment: StockTradingVecEnv, seed: int) -> BaseAlgorithm:
    values = settings.hyperparameters.model_dump(exclude={"n_envs"})
    if (deviation := values.pop("action_noise_std", None)) is not None:
        values["action_noise"] = GaussianNoise(deviation, environment.num_envs, environment.batch.tickers)
    algorithm = _ALGORITHMS[settings.algorithm]
    policy: dict[str, Any] = {
        "net_arch": list(settings.network.hidden_sizes),
        "activation_fn": activation_class(settings.network.activation),
    }
    if issubclass(algorithm, OffPolicyAlgorithm):
        policy["optimizer_kwargs"] = {"fused": True}  # Adam over all parameters in one loop
    return algorithm("MlpPolicy", environment, policy_kwargs=policy, seed=seed, device="cpu", **values)


def _acting_modules(model: BaseAlgorithm) -> tuple[list[nn.Module], bool]:
    """The actor's modules in order, and whether a tanh follows the last one."""
    policy: Any = model.policy
    if isinstance(model, OnPolicyAlgorithm):
        return [*policy.mlp_extractor.policy_net, policy.action_net], False
    if isinstance(model, SAC):
        return [*policy.actor.latent_pi, policy.actor.mu], True
    return list(policy.actor.mu), True


def _replay_state(model: BaseAlgorithm) -> dict[str, Any] | None:
    """The filled part of the replay buffer."""
    if not isinstance(model, OffPolicyAlgorithm):
        return None
    buffer = model.replay_buffer
    assert isinstance(buffer, ReplayBuffer)
    size = buffer.size()
    arrays = {name: torch.from_numpy(array[:size].copy()) for name, array in _arrays(buffer).items()}
    return {"arrays": arrays, "pos": buffer.pos, "full": buffer.full}


def _restore_replay(model: BaseAlgorithm, state: dict[str, Any] | None) -> None:
    if state is None:
        return
    assert isinstance(model, OffPolicyAlgorithm)
    buffer = model.replay_buffer
    assert isinstance(buffer, ReplayBuffer)
    for name, tensor in state["arrays"].items():
        getattr(buffer, name)[: len(tensor)] = tensor.numpy()
    buffer.pos, buffer.full = state["pos"], state["full"]


def _arrays(buffer: ReplayBuffer) -> dict[str, np.ndarray[Any, Any]]:
    names = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
    return {name: getattr(buffer, name) for name in names}


def _to_tensor(array: np.ndarray[Any, Any] | None) -> torch.Tensor | None:
    return None if array is None else torch.from_numpy(array.copy())


def _log_interval(model: BaseAlgorithm) -> int:
    """Rollouts (on-policy) or episodes (off-policy) between two reports."""
    if not isinstance(model, OnPolicyAlgorithm):
        return 1
    return max(1, _REPORT_TIMESTEPS // (model.n_steps * model.n_envs))
