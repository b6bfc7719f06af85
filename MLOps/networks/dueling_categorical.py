"""Rainbow's network: a trunk, and streams for the state's value and the actions' advantages, over atoms of return.

Sources: Wang et al., 2016, "Dueling Network Architectures", equation 9; Bellemare et al., 2017, "A Distributional
Perspective on Reinforcement Learning", section 4; Hessel et al., 2018, "Rainbow", section 4.
"""

from itertools import pairwise

import torch
from torch import nn

from MLOps.networks.noisy_linear import NoisyLinear, plain_linear
from MLOps.settings.rainbow import RainbowModelSettings


class Stream(nn.Module):
    """A hidden layer with ReLU and an output layer; both are noisy, or neither.

    Parameters
    ----------
    inputs, outputs : int
        Widths.
    settings : RainbowModelSettings
        Width of the hidden layer, noise.
    generator : torch.Generator
        Draws the first weights.
    """

    def __init__(self, inputs: int, outputs: int, settings: RainbowModelSettings, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = _layer(inputs, settings.stream_size, settings, generator)
        self.out = _layer(settings.stream_size, outputs, settings, generator)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (B, inputs) to (B, outputs)."""
        outputs: torch.Tensor = self.out(torch.relu(self.hidden(values)))
        return outputs


def _layer(inputs: int, outputs: int, settings: RainbowModelSettings, generator: torch.Generator) -> nn.Module:
    if settings.is_noisy:
        return NoisyLinear(inputs, outputs, settings.noisy_sigma, generator)
    return plain_linear(inputs, outputs, generator)


class RainbowNetwork(nn.Module):
    """Observations (B, D) to logits (B, A, Z) of the return's distribution over Z atoms.

    Without a categorical return Z is 1 and the logit is the action's value. Without dueling the logits are those of
    the advantage stream.

    Parameters
    ----------
    observation_size, actions : int
        D and A.
    settings : RainbowModelSettings
        Layers and switches.
    generator : torch.Generator
        Draws the first weights.
    """

    support: torch.Tensor

    def __init__(
        self, observation_size: int, actions: int, settings: RainbowModelSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.actions, self.atoms, self.is_categorical = actions, settings.returned_atoms, settings.is_categorical
        sizes = [observation_size, *settings.hidden_sizes]
        self.trunk = nn.ModuleList(plain_linear(*widths, generator) for widths in pairwise(sizes))
        self.value = Stream(sizes[-1], self.atoms, settings, generator) if settings.is_dueling else None
        self.advantage = Stream(sizes[-1], actions * self.atoms, settings, generator)
        self.register_buffer("support", torch.linspace(*settings.support, self.atoms), persistent=False)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Logits (B, A, Z)."""
        values = observations
        for layer in self.trunk:
            values = torch.relu(layer(values))
        logits: torch.Tensor = self.advantage(values).view(-1, self.actions, self.atoms)
        if self.value is None:
            return logits
        value: torch.Tensor = self.value(values).unsqueeze(1)
        return value + logits - logits.mean(1, keepdim=True)

    def q_values(self, observations: torch.Tensor) -> torch.Tensor:
        """Expected returns (B, A)."""
        logits: torch.Tensor = self(observations)
        return (logits.softmax(-1) * self.support).sum(-1) if self.is_categorical else logits.squeeze(-1)

    def draw(self, generator: torch.Generator) -> None:
        """Draw new noise in every noisy layer."""
        for layer in self.noisy_layers():
            layer.draw(generator)

    def quiet(self) -> None:
        """Compute with the means alone, as in evaluation."""
        for layer in self.noisy_layers():
            layer.quiet()

    def noisy_layers(self) -> list[NoisyLinear]:
        """Value stream first, hidden layer before output; empty if there is no noise."""
        return [layer for layer in self.modules() if isinstance(layer, NoisyLinear)]
