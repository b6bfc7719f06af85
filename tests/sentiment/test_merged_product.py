"""One product gives what peft's three give: states, and the gradients of states and update."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from MLOps.sentiment import merged_product
from MLOps.sentiment.merged_product import multiply_once

STATES = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(2))


def adapted(*, bias: bool = True, dropout: float = 0.0) -> nn.Module:
    """A linear layer of six inputs and four outputs with a drawn update."""
    torch.manual_seed(1)
    layer = nn.Sequential(nn.Linear(6, 4, bias=bias))
    config = LoraConfig(r=2, lora_alpha=3, lora_dropout=dropout, target_modules=["0"], init_lora_weights=False)
    network: nn.Module = get_peft_model(layer, config)  # type: ignore[arg-type]  # it takes any module
    return network


def outcome(network: nn.Module) -> list[torch.Tensor]:
    """Products, the gradient of the states, the gradients of the update."""
    states = STATES.clone().requires_grad_()
    products = network(states)
    (products.sin().sum()).backward()
    assert states.grad is not None
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert len(learnt) == 2
    return [products.detach(), states.grad, *(parameter.grad for parameter in learnt if parameter.grad is not None)]


@contextmanager
def counted_products(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often the merged product is taken."""
    taken, apply = [0], merged_product._MergedProduct.apply

    def count(*given: Any) -> Any:
        taken[0] += 1
        return apply(*given)

    with monkeypatch.context() as patch:
        patch.setattr(merged_product._MergedProduct, "apply", count)
        yield taken


@pytest.mark.parametrize("bias", [True, False])
def test_one_product_equals_pefts_three_and_so_do_its_gradients(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    network = adapted(bias=bias)
    wanted = outcome(copy.deepcopy(network))
    multiply_once(network)
    with counted_products(monkeypatch) as taken:
        given = outcome(network)
    assert taken == [1]
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_states_that_need_no_gradient_get_none() -> None:
    network = adapted()
    multiply_once(network)
    network(STATES).sum().backward()
    assert STATES.grad is None


def test_dropout_before_the_update_keeps_pefts_way_in_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = adapted(dropout=0.5)
    unchanged = copy.deepcopy(network)
    multiply_once(network)
    with counted_products(monkeypatch) as taken:
        torch.manual_seed(3)
        dropped = network(STATES)
        torch.manual_seed(3)
        torch.testing.assert_close(dropped, unchanged(STATES), rtol=0, atol=0)
        assert taken == [0]
        torch.testing.assert_close(network.eval()(STATES), unchanged.eval()(STATES))
        assert taken == [1]


def test_in_bfloat16_pefts_way_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    network = adapted()
    unchanged = copy.deepcopy(network)
    multiply_once(network)
    with counted_products(monkeypatch) as taken, torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(STATES), unchanged(STATES), rtol=0, atol=0)
    assert taken == [0]


def test_an_update_can_be_merged_for_good() -> None:
    network = adapted()
    multiply_once(network)
    wanted = network(STATES)
    merged = network.merge_and_unload()  # type: ignore[operator]
    assert type(merged[0]) is nn.Linear
    torch.testing.assert_close(merged(STATES), wanted)


def test_an_update_that_is_switched_off_is_left_out() -> None:
    network: Any = adapted()
    multiply_once(network)
    with network.disable_adapter():
        torch.testing.assert_close(network(STATES), network.base_model.model[0].base_layer(STATES))
