"""From torch modules to the tensors of a model folder."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from MLOps.inference.model_folder import Activation

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU, "silu": nn.SiLU}


def activation_class(name: Activation) -> type[nn.Module]:
    """The torch module of an activation."""
    return _ACTIVATIONS[name]


def layer_weights(modules: Iterable[nn.Module]) -> dict[str, npt.NDArray[np.float32]]:
    """``layers.<i>.weight`` (outputs, inputs) and ``layers.<i>.bias`` (outputs,) of the linear layers, in order."""
    linear = [module for module in modules if isinstance(module, nn.Linear)]
    tensors = {}
    for position, layer in enumerate(linear):
        tensors[f"layers.{position}.weight"] = layer.weight.detach().cpu().numpy().astype(np.float32)
        tensors[f"layers.{position}.bias"] = layer.bias.detach().cpu().numpy().astype(np.float32)
    return tensors


def are_finite(parameters: Iterable[torch.Tensor]) -> bool:
    """Whether no value is NaN or infinite."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in parameters)
