"""How long a sentence an encoder has positions for: told as it is, neither more nor less."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from MLOps.errors import ModelError
from MLOps.sentiment.model_card import LoraRecord
from MLOps.sentiment.network import build_network, check_length

SHAPE: dict[str, Any] = {"vocab_size": 50, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}


def encoder(kind: str) -> Any:
    """With 40 positions; RoBERTa's first two are padding's and the one before it."""
    import transformers

    kinds: dict[str, Callable[..., Any]] = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig}
    padding = {"bert": 0, "roberta": 1}[kind]
    config = kinds[kind](**SHAPE, intermediate_size=32, max_position_embeddings=40, pad_token_id=padding)
    build: Callable[[Any], Any] = transformers.AutoModel.from_config
    return build(config)


@pytest.mark.parametrize(("kind", "positions"), [("bert", 40), ("roberta", 38)])
def test_length_is_bounded_by_the_positions_that_the_encoder_has(kind: str, positions: int, tmp_path: Path) -> None:
    encoder(kind).save_pretrained(tmp_path)
    lora = LoraRecord(rank=2, alpha=2, target_modules=("query",), first_layer=0)
    network = build_network(tmp_path, lora, "mean", 3)
    ids = torch.full((1, positions), 7)
    assert torch.isfinite(network(ids, torch.ones_like(ids))).all()
    check_length(network, positions, "a test")
    with pytest.raises(ModelError, match=f"a test: max_tokens={positions + 1}; allowed: at most {positions},"):
        check_length(network, positions + 1, "a test")
    longer = torch.full((1, positions + 1), 7)
    with pytest.raises((IndexError, RuntimeError)):
        network(longer, torch.ones_like(longer))
