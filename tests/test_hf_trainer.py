"""The peer of the fine-tuning benchmark: it trains the network that it is given, and leaves nothing behind."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from MLOps.sentiment.base_model import open_tokenizer
from MLOps.sentiment.batches import LabelledTokens, tokenize
from MLOps.settings.compose import compose_settings
from MLOps.settings.sentiment_model import TrainSentimentModelSettings


class TinyNetwork(nn.Module):
    """Logits of the mean of a sentence's embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(200, 4), nn.Linear(4, 3)

    def forward(self, input_ids: torch.Tensor, _attention_mask: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(input_ids).mean(dim=1))


@pytest.mark.parametrize("is_grouped", [False, True])
def test_trains_and_leaves_no_folder(
    is_grouped: bool, tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")
    from hf_trainer import train_by_trainer

    overrides = ["hyperparameters.epochs=1", "hyperparameters.batch_size=2"]
    settings = compose_settings(TrainSentimentModelSettings, "train_sentiment_model", overrides)
    tokenizer = open_tokenizer(tiny_base_model)
    texts = ["good profit", "flat market today", "bad loss of the company", "the same"]
    data = LabelledTokens(tokenize(tokenizer, texts, 16), np.array([2, 1, 0, 1]))
    network = TinyNetwork()
    before = network.head.weight.detach().clone()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    train_by_trainer(network, data, tokenizer, settings.hyperparameters, seed=1, is_grouped=is_grouped)
    assert not torch.equal(network.head.weight, before)
    assert list(tmp_path.iterdir()) == []
