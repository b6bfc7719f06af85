"""What is written out by hand is what torch derives."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from MLOps.agents.activations import tanh
from MLOps.agents.perceptron import Perceptron


def layers(activation: type[nn.Module], sizes: Sequence[int]) -> list[nn.Module]:
    torch.manual_seed(4)
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        modules += [nn.Linear(inputs, outputs), activation()]
    return modules[:-1]


@pytest.mark.parametrize("sizes", [(5, 7, 2), (5, 16, 8, 6, 3)])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.ELU, nn.SiLU])
def test_passes_are_those_of_torch(activation: type[nn.Module], sizes: tuple[int, ...]) -> None:
    modules = layers(activation, sizes)
    parameters = [parameter for module in modules for parameter in module.parameters()]
    perceptron = Perceptron(modules)
    for rows in (3, 9, 4):  # the memory of nine rows serves four
        inputs, slope = 2 * torch.randn(rows, sizes[0]), torch.randn(rows, sizes[-1])
        outputs = nn.Sequential(*modules)(inputs)
        expected = torch.autograd.grad(outputs, parameters, slope)
        with torch.no_grad():
            for parameter in parameters:
                parameter.grad = torch.full_like(parameter, torch.nan)
            torch.testing.assert_close(perceptron.forward(inputs), outputs.detach(), rtol=0, atol=2e-6)
            perceptron.backward(inputs, slope)
        for parameter, gradient in zip(parameters, expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=5e-6)


def test_a_step_of_the_optimiser_is_seen() -> None:
    modules = layers(nn.Tanh, (5, 4, 2))
    perceptron = Perceptron(modules)
    inputs = torch.randn(3, 5)
    with torch.no_grad():
        before = perceptron.forward(inputs).clone()
        modules[0].bias += 1
        assert not torch.equal(perceptron.forward(inputs), before)


def test_tanh_is_tanh_over_its_whole_range() -> None:
    z = np.concatenate([np.linspace(-12, 12, 100_001), [0, 1e-30, -1e-5, 1e30, np.inf, -np.inf]]).astype(np.float32)
    h = np.empty_like(z)
    tanh(z, h)
    np.testing.assert_allclose(h, np.tanh(z.astype(np.float64)), rtol=0, atol=4e-7)
    np.testing.assert_array_equal(h[[-6, -3, -2, -1]], [0, 1, 1, -1])


def test_tanh_of_nan_is_nan() -> None:
    h = np.zeros(3, np.float32)
    tanh(np.array([0.5, np.nan, 0.5], np.float32), h)
    assert np.isnan(h).tolist() == [False, True, False]
