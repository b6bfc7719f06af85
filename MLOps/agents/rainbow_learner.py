"""Rainbow's gradient step, written out: what an update costs is products of matrices and little else.

Source: Hessel et al., 2018, "Rainbow: Combining Improvements in Deep Reinforcement Learning".
"""

from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from MLOps.agents.folded_network import FoldedNetwork
from MLOps.agents.rainbow_loss import BatchSlope, categorical_slope, value_slope
from MLOps.errors import DivergenceError
from MLOps.networks.dueling_categorical import RainbowNetwork
from MLOps.replay.transitions import ReplayBatch
from MLOps.settings.rainbow import RainbowModelSettings, RainbowTrainingSettings

FloatArray = npt.NDArray[np.float64]


class Update(NamedTuple):
    """What a gradient step tells.

    Attributes
    ----------
    loss : float
        Weighted mean over the batch, before the step.
    errors : (B,) float64
        New priorities of the batch; the next update overwrites them.
    mean_value : float
        Mean of the foretold values of the actions that were taken.
    gradient_norm : float
        Before it was clipped.
    """

    loss: float
    errors: FloatArray
    mean_value: float
    gradient_norm: float


class RainbowLearner:
    """The online and the target network, and Adam.

    An update draws new noise for either network. The online network sees the batch's observations and next
    observations in one pass, under the same noise.

    Parameters
    ----------
    network : RainbowNetwork
        The online network, trained in place.
    target : RainbowNetwork
        Of the same shape; takes over the online network's parameters.
    model : RainbowModelSettings
        Switches.
    training : RainbowTrainingSettings
        Batch size, Adam, clipping, how often the target network follows.
    generator : torch.Generator
        Draws the noise.
    """

    def __init__(
        self,
        network: RainbowNetwork,
        target: RainbowNetwork,
        model: RainbowModelSettings,
        training: RainbowTrainingSettings,
        generator: torch.Generator,
    ) -> None:
        self.online, self._target = FoldedNetwork(network), FoldedNetwork(target)
        self._target.parameters.copy_(self.online.parameters)
        self._shape = (-1, network.actions, network.atoms)
        self._support, self._model, self._training = network.support, model, training
        self._generator, self.updates = generator, 0
        self._trained = nn.Parameter(self.online.parameters)
        self._trained.grad = self.online.slopes
        self.optimizer = torch.optim.Adam(
            [self._trained], lr=training.learning_rate, eps=training.adam_epsilon, fused=True
        )
        size = training.batch_size
        self._slope = BatchSlope(
            np.zeros((size, network.actions * network.atoms), np.float32), np.zeros(size), np.zeros(size)
        )
        self._logit_slope = torch.from_numpy(self._slope.logits)

    @torch.no_grad()
    def update(self, batch: ReplayBatch) -> Update:
        """Take a step on a batch of the settings' size.

        Raises
        ------
        DivergenceError
            If the slope is not finite; then no parameter has changed.
        """
        self.online.fold(self._generator)
        self._target.fold(self._generator)
        loss = self._differentiate(batch)
        norm = self._clip()
        self.optimizer.step()
        self.updates += 1
        if self.updates % self._training.target_update_every == 0:
            self._target.parameters.copy_(self.online.parameters)
        return Update(loss, self._slope.errors, float(self._slope.values.mean()), norm)

    def _differentiate(self, batch: ReplayBatch) -> float:
        """Write the slope at the online network's parameters; gives the loss.

        What comes from NumPy is copied to memory that torch has aligned, for the last bits of a product depend on that.
        """
        size, is_double = len(batch.actions), self._model.is_double
        both = torch.cat((torch.from_numpy(batch.observations), torch.from_numpy(batch.next_observations)))
        seen = both if is_double else both[:size]
        told = self.online.forward(seen).view(self._shape)
        judged = self._target.forward(both[size:]).view(self._shape)
        chosen = told[size:] if is_double else judged
        if self._model.is_categorical:
            log_probabilities, judging = torch.log_softmax(told[:size], -1), torch.softmax(judged, -1)
            choosing = torch.softmax(chosen, -1) if is_double else judging
            loss = categorical_slope(
                log_probabilities.numpy(),
                log_probabilities.exp().numpy(),
                choosing.numpy(),
                judging.numpy(),
                self._support.numpy(),
                batch.actions,
                batch.returns,
                batch.discounts,
                batch.weights,
                self._slope,
            )
        else:
            loss = value_slope(
                told[:size, :, 0].numpy(),
                chosen[..., 0].numpy(),
                judged[..., 0].numpy(),
                batch.actions,
                batch.returns,
                batch.discounts,
                batch.weights,
                self._slope,
            )
        self.online.backward(both[:size], self._logit_slope, len(seen))
        return loss

    def _clip(self) -> float:
        """Clip the slope to its greatest norm; gives the norm before."""
        norm = float(torch.linalg.vector_norm(self.online.slopes))
        if not np.isfinite(norm):
            raise DivergenceError(
                f"training diverged after {self.updates} gradient steps: the gradient is NaN or infinite",
                "finite gradients",
                "a lower training.learning_rate, or a smaller environment.reward_scale",
            )
        if norm > self._training.max_grad_norm:
            self.online.slopes.mul_(self._training.max_grad_norm / norm)
        return norm

    @torch.no_grad()
    def values(self, observations: npt.NDArray[np.float32], *, with_noise: bool) -> npt.NDArray[np.float32]:
        """Expected returns (B, A) of observations (B, D), under new noise or without any."""
        self.online.fold(self._generator if with_noise else None)
        logits = self.online.forward(torch.tensor(observations)).view(self._shape)
        if not self._model.is_categorical:
            return logits[..., 0].numpy().copy()
        return (torch.softmax(logits, -1) @ self._support).numpy()

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, the generator of noise among it."""
        return {
            "online": self.online.parameters.clone(),
            "target": self._target.parameters.clone(),
            "optimizer": deepcopy(self.optimizer.state_dict()),
            "updates": self.updates,
            "noise": self._generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.online.parameters.copy_(state["online"])
        self._target.parameters.copy_(state["target"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates = state["updates"]
        self._generator.set_state(state["noise"])
