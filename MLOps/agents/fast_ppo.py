"""Stable-Baselines3's PPO with its gradient written out."""

from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.utils import explained_variance

from MLOps.agents.rollouts import BatchedRollouts
from MLOps.agents.surrogate import Figures, LossWeights, Samples, surrogate_loss

IntArray = npt.NDArray[np.int64]
_ADAM = {"eps": 1e-5, "fused": True}  # the library's epsilon, and torch's one loop over all parameters


class FastPPO(BatchedRollouts, PPO):
    """PPO with the minibatches, losses and steps of the library's own, in less time.

    The loss has few terms and the networks are perceptrons, so the derivatives are written out
    (MLOps/agents/surrogate.py, perceptron.py). They go into one vector, of which the parameters' ``grad`` are
    views and which is clipped in one pass. Policy, optimiser, buffer, ``predict``, ``save`` and ``load`` are the
    library's.

    It takes what `BatchedRollouts` takes, on the CPU, and knows no ``clip_range_vf``.
    """

    def _setup_model(self) -> None:
        self.policy_kwargs.setdefault("optimizer_kwargs", _ADAM)
        super()._setup_model()
        assert self.clip_range_vf is None
        parameters = list(self.policy.parameters())
        sizes = [parameter.numel() for parameter in parameters]
        self._gradient = torch.zeros(sum(sizes))
        for parameter, end in zip(parameters, accumulate(sizes), strict=True):
            parameter.grad = self._gradient[end - parameter.numel() : end].view_as(parameter)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_gradient"]

    @torch.no_grad()
    def train(self) -> None:
        """Learn from the rollout buffer."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        assert callable(self.clip_range)
        weights = LossWeights(
            self.clip_range(self._current_progress_remaining), self.vf_coef, self.ent_coef, self.normalize_advantage
        )
        rollout = _Rollout(self.rollout_buffer, self.batch_size)
        epochs: list[list[Figures]] = []
        is_near = True
        while is_near and len(epochs) < self.n_epochs:
            epochs.append([])
            for rows in rollout.minibatches():
                figures = self._differentiate(rollout, rows, weights)
                epochs[-1].append(figures)
                is_near = self.target_kl is None or figures.divergence <= 1.5 * self.target_kl
                if not is_near:
                    break
                self._descend()
            self._n_updates += 1
        self._record(epochs, weights)

    def _differentiate(self, rollout: "_Rollout", rows: IntArray, weights: LossWeights) -> Figures:
        """Losses of a minibatch; their slope goes into the parameters' ``grad``."""
        seen = rollout.observations_of(rows)
        mean, values = self._actor.forward(seen), self._critic.forward(seen)
        mean_slope, value_slope = rollout.mean_slope[: len(rows)], rollout.value_slope[: len(rows)]
        log_std = self.policy.log_std
        assert log_std.grad is not None
        told = surrogate_loss(
            rows,
            rollout.samples,
            weights,
            mean.numpy(),
            log_std.detach().numpy(),
            values.numpy(),
            mean_slope.numpy(),
            log_std.grad.numpy(),
            value_slope.numpy(),
        )
        self._actor.backward(seen, mean_slope)
        self._critic.backward(seen, value_slope)
        return Figures(*told)

    def _descend(self) -> None:
        """Clip the gradient to its greatest norm and take a step."""
        norm = float(torch.linalg.vector_norm(self._gradient))
        if norm + 1e-6 > self.max_grad_norm:
            self._gradient.mul_(self.max_grad_norm / (norm + 1e-6))
        self.policy.optimizer.step()

    def _record(self, epochs: list[list[Figures]], weights: LossWeights) -> None:
        """Log under the library's names; the divergence is that of the last epoch."""
        of_all = Figures(*np.mean([figures for epoch in epochs for figures in epoch], axis=0).tolist())
        memory, last = self.rollout_buffer, epochs[-1][-1]
        told = {
            "entropy_loss": of_all.entropy_loss,
            "policy_gradient_loss": of_all.policy_loss,
            "value_loss": of_all.value_loss,
            "approx_kl": float(np.mean([figures.divergence for figures in epochs[-1]])),
            "clip_fraction": of_all.clipped,
            "loss": last.policy_loss + weights.entropy * last.entropy_loss + weights.value * last.value_loss,
            "explained_variance": explained_variance(memory.values.ravel(), memory.returns.ravel()),
            "std": float(self.policy.log_std.exp().mean()),
            "clip_range": weights.clip_range,
        }
        for name, figure in told.items():
            self.logger.record(f"train/{name}", figure)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")


class _Rollout:
    """A full rollout buffer of T sessions and E accounts as rows, and the memory of a minibatch."""

    def __init__(self, memory: RolloutBuffer, batch_size: int) -> None:
        sessions, accounts, size = memory.actions.shape
        self._observations = torch.from_numpy(memory.observations).flatten(0, 1)
        # the library numbers the rows account by account
        self._library_order = np.arange(sessions * accounts).reshape(sessions, accounts).T.ravel()
        self._batch_size = batch_size
        self._seen = torch.empty(batch_size, self._observations.shape[1])
        self.mean_slope, self.value_slope = torch.empty(batch_size, size), torch.empty(batch_size, 1)
        self.samples = Samples(
            memory.actions.reshape(-1, size),
            memory.log_probs.ravel(),
            memory.advantages.ravel(),
            memory.returns.ravel(),
        )

    def minibatches(self) -> list[IntArray]:
        """All rows once, in the order that the library draws."""
        rows = self._library_order[np.random.permutation(len(self._library_order))]
        return [rows[start : start + self._batch_size] for start in range(0, len(rows), self._batch_size)]

    def observations_of(self, rows: IntArray) -> torch.Tensor:
        """(B, D); overwritten by the next minibatch."""
        return torch.index_select(self._observations, 0, torch.from_numpy(rows), out=self._seen[: len(rows)])
