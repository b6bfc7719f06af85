"""The frozen layers, computed once: the same states as in the whole encoder, and an encoder left as it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from MLOps.sentiment.batches import TokenizedSentences
from MLOps.sentiment.frozen_prefix import FrozenPrefix, KeptStates
from MLOps.sentiment.model_card import LoraRecord
from MLOps.sentiment.network import SentenceClassifier, build_network

SHAPE: dict[str, Any] = {"vocab_size": 50, "num_hidden_layers": 3, "num_attention_heads": 2, "pad_token_id": 0}
WIDTH: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 40}


def sentences(lengths: tuple[int, ...] = (5, 9, 3, 12, 9)) -> TokenizedSentences:
    generator = torch.Generator().manual_seed(1)
    return TokenizedSentences([torch.randint(1, 50, (length,), generator=generator) for length in lengths], 0)


def make_encoder(kind: str, folder: Path) -> Path:
    import transformers

    configs: dict[str, Callable[[], Any]] = {
        "bert": lambda: transformers.BertConfig(**SHAPE, **WIDTH),
        "roberta": lambda: transformers.RobertaConfig(**SHAPE, **WIDTH),
        "xlm-roberta": lambda: transformers.XLMRobertaConfig(**SHAPE, **WIDTH),
        "electra": lambda: transformers.ElectraConfig(**SHAPE, **WIDTH, embedding_size=8),
        "distilbert": lambda: transformers.DistilBertConfig(
            vocab_size=50, n_layers=3, n_heads=2, dim=16, hidden_dim=32, max_position_embeddings=40
        ),
    }
    with torch.random.fork_rng():
        torch.manual_seed(2)
        transformers.AutoModel.from_config(configs[kind]()).save_pretrained(folder)
    return folder


def network_of(kind: str, folder: Path) -> SentenceClassifier:
    target = "q_lin" if kind == "distilbert" else "query"
    lora = LoraRecord(rank=2, alpha=2, target_modules=(target,), first_layer=2)
    return build_network(make_encoder(kind, folder), lora, "mean", 3).train(False)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra", "roberta", "xlm-roberta"])
def test_entered_in_the_middle_it_gives_what_the_whole_encoder_gives(kind: str, tmp_path: Path) -> None:
    network = network_of(kind, tmp_path)
    assert FrozenPrefix.is_known_for(network.encoder, 2)
    prefix, data, rows = FrozenPrefix(network.encoder, 2), sentences(), np.arange(5)
    ids, mask = data.batch(rows)
    expected = network(ids, mask)
    kept = KeptStates(prefix, data, batch_size=2)
    for states in (prefix.states(ids, mask), kept.batch(rows)):
        with prefix.given(states):
            torch.testing.assert_close(network(ids, mask), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(network(ids, mask), expected, atol=0, rtol=0)


def test_given_states_carry_the_same_gradient(tmp_path: Path) -> None:
    network = network_of("bert", tmp_path)
    prefix, data, rows = FrozenPrefix(network.encoder, 2), sentences(), np.arange(5)
    ids, mask = data.batch(rows)

    def gradients() -> dict[str, torch.Tensor]:
        network.zero_grad()
        network(ids, mask).square().sum().backward()
        return {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}

    expected = gradients()
    with prefix.given(prefix.states(ids, mask)):
        found = gradients()
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-6, rtol=1e-5)


def test_states_know_no_dropout_and_no_gradient(tmp_path: Path) -> None:
    network = network_of("bert", tmp_path).train(True)
    prefix, data = FrozenPrefix(network.encoder, 2), sentences()
    ids, mask = data.batch(np.arange(5))
    first, second = prefix.states(ids, mask), prefix.states(ids, mask)
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert network.encoder.training


def test_kept_states_are_without_padding_and_count_their_memory(tmp_path: Path) -> None:
    network = network_of("bert", tmp_path)
    data = sentences()
    kept = KeptStates(FrozenPrefix(network.encoder, 2), data, batch_size=2)
    assert KeptStates.mib(data, 16) == pytest.approx(38 * 16 * 4 / 2**20)
    batch = kept.batch(np.array([2, 3]))
    assert batch.shape == (2, 12, 16)
    assert batch[0, 3:].abs().max() == 0
    torch.testing.assert_close(kept.batch(np.array([3, 2]))[1, :3], batch[0, :3], atol=0, rtol=0)


def test_nothing_to_gain_from_the_first_layer_or_in_an_unknown_encoder(tmp_path: Path) -> None:
    network = network_of("bert", tmp_path)
    assert not FrozenPrefix.is_known_for(network.encoder, 0)
    network.encoder.config.model_type = "novel"
    assert not FrozenPrefix.is_known_for(network.encoder, 2)
