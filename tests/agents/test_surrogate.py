"""PPO's loss and its derivatives, worked by hand and against automatic differentiation."""

from math import log, pi

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from MLOps.agents.surrogate import Figures, LossWeights, Samples, surrogate_loss

RATIO = 1.5  # of the probability now to that when it acted


def one_sample(advantage: float) -> tuple[Figures, float, float, float]:
    """Action 1 of a standard Gaussian, value 3 where 1 came back; losses, then slopes of mean, log_std and value."""
    now = -0.5 - 0.5 * log(2 * pi)
    samples = Samples(
        np.ones((1, 1), np.float32),
        np.array([now - log(RATIO)], np.float32),
        np.array([advantage], np.float32),
        np.ones(1, np.float32),
    )
    slopes = np.empty((1, 1), np.float32), np.empty(1, np.float32), np.empty((1, 1), np.float32)
    mean, values = np.zeros((1, 1), np.float32), np.full((1, 1), 3, np.float32)
    weights = LossWeights(clip_range=0.2, value=0.5, entropy=0.1, is_normalised=True)
    told = surrogate_loss(np.zeros(1, np.int64), samples, weights, mean, np.zeros(1, np.float32), values, *slopes)
    return Figures(*told), *(float(slope.ravel()[0]) for slope in slopes)


def test_a_gain_beyond_the_clip_pulls_no_more() -> None:
    figures, mean_slope, log_std_slope, value_slope = one_sample(advantage=2.0)
    assert figures.policy_loss == pytest.approx(-2 * 1.2)
    assert figures.value_loss == pytest.approx(4)
    assert figures.entropy_loss == pytest.approx(-0.5 - 0.5 * log(2 * pi))
    assert figures.divergence == pytest.approx(0.5 - log(RATIO), rel=1e-5)
    assert figures.clipped == 1
    assert (mean_slope, log_std_slope) == pytest.approx((0.0, -0.1))  # the entropy bonus alone
    assert value_slope == pytest.approx(0.5 * 2 * 2)


def test_a_loss_beyond_the_clip_pulls_in_full() -> None:
    figures, mean_slope, log_std_slope, _ = one_sample(advantage=-2.0)
    assert figures.policy_loss == pytest.approx(2 * RATIO)
    assert mean_slope == pytest.approx(2 * RATIO * 1)
    assert log_std_slope == pytest.approx(2 * RATIO * (1 - 1) - 0.1, abs=1e-6)


@pytest.mark.parametrize("is_normalised", [True, False])
def test_derivatives_are_those_of_torch(is_normalised: bool) -> None:
    generator = torch.Generator().manual_seed(6)
    total, count, size = 50, 17, 4
    rows = torch.randperm(total, generator=generator)[:count]
    mean, values, log_std = (
        torch.randn(shape, generator=generator).mul_(0.5).requires_grad_()
        for shape in ((count, size), (count, 1), (size,))
    )
    actions, old, advantages, returns = (
        torch.randn(shape, generator=generator) for shape in ((total, size), (total,), (total,), (total,))
    )
    old = old * 0.3 + Normal(torch.zeros(size), 1.0).log_prob(actions).sum(dim=1)
    weights = LossWeights(clip_range=0.3, value=0.6, entropy=0.05, is_normalised=is_normalised)

    policy = Normal(mean, log_std.exp())
    log_ratio = policy.log_prob(actions[rows]).sum(dim=1) - old[rows]
    ratio, advantage = log_ratio.exp(), advantages[rows]
    if is_normalised:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    policy_loss = -torch.min(advantage * ratio, advantage * ratio.clamp(0.7, 1.3)).mean()
    value_loss = (returns[rows] - values[:, 0]).square().mean()
    entropy_loss = -policy.entropy().sum(dim=1).mean()
    (policy_loss + 0.6 * value_loss + 0.05 * entropy_loss).backward()

    slopes = [np.empty(tensor.shape, np.float32) for tensor in (mean, log_std, values)]
    samples = Samples(*(tensor.numpy() for tensor in (actions, old, advantages, returns)))
    now = [tensor.detach().numpy() for tensor in (mean, log_std, values)]
    figures = Figures(*surrogate_loss(rows.numpy(), samples, weights, *now, *slopes))
    for slope, tensor in zip(slopes, (mean, log_std, values), strict=True):
        np.testing.assert_allclose(slope, tensor.grad, rtol=1e-4, atol=1e-6)
    expected = (policy_loss.item(), value_loss.item(), entropy_loss.item())
    assert figures[:3] == pytest.approx(expected, rel=1e-5)
    assert figures.divergence == pytest.approx((ratio - 1 - log_ratio).mean().item(), rel=1e-4)
    assert 0 < figures.clipped < 1
    assert figures.clipped == pytest.approx(((ratio - 1).abs() > 0.3).float().mean().item())
