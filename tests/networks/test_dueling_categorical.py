"""The network: streams that add up, distributions, and what its switches leave out."""

from typing import Any

import pytest
import torch

from MLOps.networks.dueling_categorical import RainbowNetwork
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow import RainbowModelSettings, TrainRainbowSettings

WIDTH, ACTIONS = 5, 3


@pytest.fixture(scope="module")
def model() -> RainbowModelSettings:
    return compose_settings(TrainRainbowSettings, "train_rainbow", ["data=btc"]).model


def network_of(model: RainbowModelSettings, **changes: Any) -> RainbowNetwork:
    small = {"hidden_sizes": (8,), "stream_size": 4, "atoms": 5, "v_min": -1.0, "v_max": 1.0}
    settings = model.model_copy(update={**small, **changes})
    return RainbowNetwork(WIDTH, ACTIONS, settings, torch.Generator().manual_seed(4))


def test_mean_over_actions_is_the_value_stream(model: RainbowModelSettings) -> None:
    network, seen = network_of(model), torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(1))
    assert network.value is not None
    values = torch.relu(network.trunk[0](seen))
    torch.testing.assert_close(network(seen).mean(1), network.value(values))


def test_same_bias_on_all_advantages_changes_nothing(model: RainbowModelSettings) -> None:
    network, seen = network_of(model), torch.ones(2, WIDTH)
    before = network(seen)
    with torch.no_grad():
        network.advantage.out.bias += 7.0
    torch.testing.assert_close(network(seen), before)


def test_value_of_an_action_is_its_distributions_mean(model: RainbowModelSettings) -> None:
    network, seen = network_of(model, is_dueling=False, is_noisy=False), torch.ones(1, WIDTH)
    with torch.no_grad():
        network.advantage.out.weight.zero_()
        # all of the chance on atoms -1 and +.5, evenly; on 0; on -.5, .5 and 1, evenly
        network.advantage.out.bias.copy_(
            torch.tensor([[0, -99, -99, 0, -99], [-99, -99, 0, -99, -99], [-99, 0, -99, 0, 0]]).float().view(-1)
        )
    torch.testing.assert_close(network.q_values(seen), torch.tensor([[-0.25, 0.0, 1 / 3]]))


def test_without_a_distribution_the_logit_is_the_value(model: RainbowModelSettings) -> None:
    network, seen = network_of(model, is_categorical=False), torch.ones(2, WIDTH)
    assert network(seen).shape == (2, ACTIONS, 1)
    torch.testing.assert_close(network.q_values(seen), network(seen)[..., 0])


@pytest.mark.parametrize(("switch", "left_out"), [("is_noisy", "_sigma"), ("is_dueling", "value.")])
def test_switched_off_part_has_no_parameters(model: RainbowModelSettings, switch: str, left_out: str) -> None:
    assert any(left_out in name for name, _ in network_of(model).named_parameters())
    assert not any(left_out in name for name, _ in network_of(model, **{switch: False}).named_parameters())


def test_quiet_network_gives_the_same_twice_and_a_noisy_one_does_not(model: RainbowModelSettings) -> None:
    network, seen, generator = network_of(model), torch.ones(1, WIDTH), torch.Generator().manual_seed(6)
    quiet = network(seen)
    network.draw(generator)
    noisy = network(seen)
    network.draw(generator)
    assert not torch.allclose(noisy, network(seen))
    network.quiet()
    torch.testing.assert_close(network(seen), quiet)
