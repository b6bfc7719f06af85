"""Dropout with shared draws drops what it should, and nothing where it should not."""

import math

import pytest
import torch
from torch import nn

from MLOps.sentiment.dropout import SharedDrawDropout, share_draws


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_p_is_dropped_and_the_others_grow(p: float) -> None:
    torch.manual_seed(1)
    size = 400_003  # no multiple of four
    dropped = SharedDrawDropout(p)(torch.ones(size))
    share = float((dropped == 0).double().mean())
    assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / size)
    torch.testing.assert_close(dropped[dropped != 0].unique(), torch.tensor([1 / (1 - p)]))


@pytest.mark.parametrize("p", [1e-9, 1 - 1e-9])
def test_a_share_beyond_the_last_level_drops_nothing_or_nearly_all(p: float) -> None:
    torch.manual_seed(1)
    dropped = SharedDrawDropout(p)(torch.ones(1_000_000))
    assert abs(float((dropped == 0).double().mean()) - p) < 5 / 65_536


def test_neighbours_that_share_a_draw_are_dropped_independently() -> None:
    torch.manual_seed(1)
    dropped = (SharedDrawDropout(0.5)(torch.ones(4, 100_000).T.contiguous()) == 0).double()
    correlations = torch.corrcoef(dropped.T) - torch.eye(4)
    assert float(correlations.abs().max()) < 5 / math.sqrt(100_000)


def test_the_gradient_passes_where_the_state_did() -> None:
    states = torch.ones(1_000, requires_grad=True)
    dropped = SharedDrawDropout(0.3)(states)
    dropped.sum().backward()
    assert states.grad is not None
    torch.testing.assert_close(states.grad, dropped.detach())
    assert 0 < int((dropped == 0).sum()) < 1_000


@pytest.mark.parametrize("layer", [SharedDrawDropout(0.0), SharedDrawDropout(0.5).eval()])
def test_nothing_is_dropped_at_zero_or_in_use(layer: nn.Module) -> None:
    states = torch.ones(100)
    assert layer(states) is states


def test_a_generator_put_back_gives_the_same_mask() -> None:
    layer, states = SharedDrawDropout(0.5), torch.ones(99)
    kept = torch.get_rng_state()
    first = layer(states)
    torch.set_rng_state(kept)
    assert torch.equal(layer(states), first)
    assert not torch.equal(layer(states), first)


def test_plain_dropout_is_replaced_everywhere_and_other_kinds_nowhere() -> None:
    network = nn.Sequential(nn.Dropout(0.2), nn.Sequential(nn.Dropout(0.3), nn.Dropout1d(0.4)))
    share_draws(network)
    kinds = [(type(module), module.p) for module in network.modules() if isinstance(module, nn.Dropout | nn.Dropout1d)]
    assert kinds == [(SharedDrawDropout, 0.2), (SharedDrawDropout, 0.3), (nn.Dropout1d, 0.4)]
