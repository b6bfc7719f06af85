"""A linear layer whose weights carry noise of learned size, in place of random actions.

Source: Fortunato et al., 2018, "Noisy Networks for Exploration", section 3 (factorised Gaussian noise).
"""

import math

import torch
from torch import nn


class NoisyLinear(nn.Module):
    """``(w + w_sigma * outer(f(e_out), f(e_in))) x + b + b_sigma * f(e_out)``, with ``f(e) = sign(e) sqrt(|e|)``.

    Quiet, which is how it begins, it is the linear layer of its means.

    Parameters
    ----------
    inputs, outputs : int
        Widths of the layer.
    sigma : float
        The noise's size at the beginning is this over ``sqrt(inputs)``.
    generator : torch.Generator
        Draws the first means, uniformly in ``+-1 / sqrt(inputs)``.
    """

    noise_in: torch.Tensor
    noise_out: torch.Tensor

    def __init__(self, inputs: int, outputs: int, sigma: float, generator: torch.Generator) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound, generator=generator))
        self.weight_sigma = nn.Parameter(torch.full((outputs, inputs), sigma * bound))
        self.bias_sigma = nn.Parameter(torch.full((outputs,), sigma * bound))
        self.register_buffer("noise_in", torch.zeros(inputs), persistent=False)
        self.register_buffer("noise_out", torch.zeros(outputs), persistent=False)

    def draw(self, generator: torch.Generator) -> None:
        """Draw new noise, the same for all rows of a batch."""
        self.noise_in.copy_(factorised_noise(torch.randn(len(self.noise_in), generator=generator)))
        self.noise_out.copy_(factorised_noise(torch.randn(len(self.noise_out), generator=generator)))

    def quiet(self) -> None:
        """Compute with the means alone."""
        self.noise_in.zero_()
        self.noise_out.zero_()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (B, inputs) to (B, outputs)."""
        weight = self.weight + self.weight_sigma * torch.outer(self.noise_out, self.noise_in)
        return nn.functional.linear(values, weight, self.bias + self.bias_sigma * self.noise_out)


def factorised_noise(normal: torch.Tensor) -> torch.Tensor:
    """``sign(e) sqrt(|e|)`` of standard normal draws, of any shape."""
    return normal.sign() * normal.abs().sqrt()


def plain_linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer whose first values are drawn as `NoisyLinear` draws its means."""
    layer, bound = nn.Linear(inputs, outputs), 1 / math.sqrt(inputs)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
