"""Noisy layers: what their noise is made of, and that they are linear layers without it."""

import numpy as np
import torch

from MLOps.networks.noisy_linear import NoisyLinear, factorised_noise

INPUTS, OUTPUTS, DRAWS = 6, 4, 20_000


def layer(sigma: float = 0.5) -> NoisyLinear:
    return NoisyLinear(INPUTS, OUTPUTS, sigma, torch.Generator().manual_seed(1))


def test_quiet_layer_is_that_of_its_means() -> None:
    noisy, values = layer(), torch.linspace(-1, 1, 3 * INPUTS).view(3, INPUTS)
    expected = torch.nn.functional.linear(values, noisy.weight, noisy.bias)
    torch.testing.assert_close(noisy(values), expected)
    noisy.draw(torch.Generator().manual_seed(2))
    assert not torch.allclose(noisy(values), expected)
    noisy.quiet()
    torch.testing.assert_close(noisy(values), expected)


def test_noise_by_hand() -> None:
    noisy = layer()
    with torch.no_grad():
        noisy.weight.fill_(1.0)
        noisy.weight_sigma.fill_(0.1)
        noisy.bias.fill_(2.0)
        noisy.bias_sigma.fill_(0.5)
    noisy.noise_in.copy_(torch.tensor([2.0, 0, 0, 0, 0, -1.0]))
    noisy.noise_out.copy_(torch.tensor([3.0, 0.0, -1.0, 0.5]))
    # one input of 10 in the first place: 10 * (1 + .1 * 2 * e) + 2 + .5 * e for each e of the outputs
    told = noisy(torch.tensor([[10.0, 0, 0, 0, 0, 0]]))[0]
    torch.testing.assert_close(told, torch.tensor([10 * 1.6 + 3.5, 12.0, 10 * 0.8 + 1.5, 10 * 1.1 + 2.25]))


def test_factorised_noise_is_the_signed_root() -> None:
    drawn = torch.tensor([4.0, -9.0, 0.0, 0.25])
    torch.testing.assert_close(factorised_noise(drawn), torch.tensor([2.0, -3.0, 0.0, 0.5]))


def test_noise_of_outputs_has_mean_0_and_the_deviation_of_its_law() -> None:
    """E f(e) = 0 and E f(e)^2 = E |e| = sqrt(2 / pi); the weights' noise is a product of two of them."""
    noisy, generator = layer(), torch.Generator().manual_seed(3)
    values = torch.ones(1, INPUTS)
    quiet = noisy(values).detach().numpy()
    drawn = []
    for _ in range(DRAWS):
        noisy.draw(generator)
        drawn.append(noisy(values).detach().numpy() - quiet)
    size, second = 0.5 / np.sqrt(INPUTS), np.sqrt(2 / np.pi)
    variance = size**2 * (INPUTS * second**2 + second)
    noise = np.concatenate(drawn)
    assert np.abs(noise.mean(0)).max() < 5 * np.sqrt(variance / DRAWS)
    np.testing.assert_allclose(noise.var(0), variance, rtol=0.1)


def test_first_means_lie_within_their_bound_and_differ() -> None:
    noisy = layer()
    assert float(noisy.weight.detach().abs().max()) <= 1 / np.sqrt(INPUTS)
    assert len(noisy.weight.unique()) == INPUTS * OUTPUTS
    assert torch.equal(layer().weight, noisy.weight)


def test_noise_learns() -> None:
    noisy = layer()
    noisy.draw(torch.Generator().manual_seed(2))
    noisy(torch.ones(2, INPUTS)).sum().backward()
    expected = 2 * torch.outer(noisy.noise_out, noisy.noise_in)
    assert noisy.weight_sigma.grad is not None
    torch.testing.assert_close(noisy.weight_sigma.grad, expected)
