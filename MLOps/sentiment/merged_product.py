"""One product in place of peft's three: W + s B A is summed before it meets the states.

peft multiplies the states by W, by A and by B in turn and adds; a network of this size then spends a tenth of a
gradient step on products of a few rows. Source: Hu et al. (2021), https://arxiv.org/abs/2106.09685, equation 3.
"""

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional


def multiply_once(encoder: nn.Module) -> None:
    """Let every layer that peft has adapted in `encoder` multiply its input once.

    Its own way is kept where the sum would be another function or too coarse: with dropout between input and update,
    with the update switched off, and under autocast, whose bfloat16 rounds a small update away when it is added to a
    weight.
    """
    from peft.tuners.lora import Linear

    for module in encoder.modules():
        if isinstance(module, Linear):
            module.forward = partial(_forward, module, module.forward)  # type: ignore[method-assign]


def _forward(layer: Any, by_peft: Any, states: torch.Tensor) -> torch.Tensor:
    (adapter,) = layer.active_adapters
    drops = layer.training and isinstance(layer.lora_dropout[adapter], nn.Dropout)
    if drops or layer.merged or layer.disable_adapters or torch.is_autocast_enabled(states.device.type):
        adapted: torch.Tensor = by_peft(states)
        return adapted
    product: torch.Tensor = _MergedProduct.apply(  # type: ignore[no-untyped-call]
        states,
        layer.base_layer.weight,
        layer.base_layer.bias,
        layer.lora_A[adapter].weight,
        layer.lora_B[adapter].weight,
        layer.scaling[adapter],
    )
    return product


class _MergedProduct(torch.autograd.Function):
    """y = x (W + s B A)' + b with gradients for x, A and B; W and b are frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """(..., outputs) for states (..., inputs), weight (outputs, inputs), a (rank, inputs), b (outputs, rank)."""
        merged = torch.addmm(weight, b, a, alpha=scale)
        ctx.save_for_backward(states, merged, a, b)
        ctx.scale = scale
        return functional.linear(states, merged, bias)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        states, merged, a, b = ctx.saved_tensors
        rows, inputs = gradient.flatten(0, -2), states.flatten(0, -2)
        of_states = gradient @ merged if ctx.needs_input_grad[0] else None
        of_a = ((rows @ b).T @ inputs).mul_(ctx.scale)
        of_b = (rows.T @ (inputs @ a.T)).mul_(ctx.scale)
        return of_states, None, None, of_a, of_b, None
