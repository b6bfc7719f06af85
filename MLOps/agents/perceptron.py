"""A perceptron's forward and backward pass, written out: no graph is recorded, memory is used again."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from MLOps.agents.activations import ACTIVATIONS


class _Layer(NamedTuple):
    """Views of a linear layer's parameters; their gradients are sought where the optimiser will."""

    module: nn.Linear
    weight: Tensor
    transposed: Tensor
    bias: Tensor


class Perceptron:
    """Linear layers with an activation after each but the last.

    The parameters are the modules' own, so whatever changes them in place, as optimisers do, is seen by the
    next pass. Both passes are to be called under ``torch.no_grad``.

    Parameters
    ----------
    modules : sequence of Module
        Linear layers, an activation between any two: Tanh, ReLU, ELU or SiLU, with the library's constants.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._layers = [_views(module) for module in modules if isinstance(module, nn.Linear)]
        (kind,) = {type(module) for module in modules[1::2]}
        self._activation = ACTIVATIONS[kind]
        self._reserve(1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (B, K) for inputs (B, D); a view that the next pass overwrites."""
        rows, given = len(inputs), inputs
        if rows > len(self._last):
            self._reserve(rows)
        for layer, sums, outputs in zip(self._layers[:-1], self._sums, self._outputs, strict=True):
            z, h = sums[:rows], outputs[:rows]
            torch.addmm(layer.bias, given, layer.transposed, out=z)
            self._activation.forward(z, h)
            given = h
        last = self._layers[-1]
        return torch.addmm(last.bias, given, last.transposed, out=self._last[:rows])

    def backward(self, inputs: Tensor, slope: Tensor) -> None:
        """Write the parameters' gradients, for which there must be memory.

        Parameters
        ----------
        inputs : (B, D)
            Of the last forward pass.
        slope : (B, K)
            The loss's derivative by the outputs of that pass.
        """
        rows = len(inputs)
        for i in range(len(self._layers) - 1, -1, -1):
            layer, given = self._layers[i], self._outputs[i - 1][:rows] if i else inputs
            torch.mm(slope.t(), given, out=layer.module.weight.grad)
            torch.sum(slope, 0, out=layer.module.bias.grad)
            if i:
                before = self._slopes[i - 1][:rows]
                torch.mm(slope, layer.weight, out=before)
                self._activation.backward(before, self._sums[i - 1][:rows], given)
                slope = before

    def _reserve(self, rows: int) -> None:
        """Memory for so many rows."""
        *hidden, last = (layer.module.out_features for layer in self._layers)
        self._sums, self._outputs, self._slopes = ([torch.empty(rows, size) for size in hidden] for _ in range(3))
        self._last = torch.empty(rows, last)


def _views(module: nn.Linear) -> _Layer:
    weight, bias = module.weight.detach(), module.bias.detach()
    return _Layer(module, weight, weight.t(), bias)
