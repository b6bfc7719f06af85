"""The network: an encoder with LoRA updates of its linear layers, and a linear head on its pooled states.

LoRA: Hu et al. (2021), https://arxiv.org/abs/2106.09685: a frozen weight W of a linear layer becomes
W + (alpha / rank) B A, with A (rank, inputs) and B (outputs, rank), B zero at first.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from MLOps.errors import ModelError
from MLOps.sentiment.base_model import open_encoder
from MLOps.sentiment.dropout import share_draws
from MLOps.sentiment.merged_product import multiply_once
from MLOps.sentiment.model_card import LoraRecord

Pooling = Literal["mean", "cls"]
Tensors = Mapping[str, torch.Tensor]
_HEAD = "head."


class SentenceClassifier(nn.Module):
    """Logits of sentences.

    Parameters
    ----------
    encoder : Module
        Gives ``last_hidden_state`` (B, T, H) for ids and mask (B, T).
    hidden_size : int
        H.
    classes : int
        Logits of a sentence.
    pooling : str
        ``mean`` over a sentence's tokens, or ``cls``, the state of its first one.
    dropout : float
        Share of the pooled state that is dropped in training.
    """

    def __init__(self, encoder: nn.Module, hidden_size: int, classes: int, pooling: Pooling, dropout: float) -> None:
        super().__init__()
        self.encoder, self._pooling = encoder, pooling
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(hidden_size, classes)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(B, C) logits for ids and mask, both (B, T) int64."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        logits: torch.Tensor = self.head(self.dropout(self._pooled(states, attention_mask)))
        return logits

    def _pooled(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self._pooling == "cls":
            return states[:, 0]
        weights = mask[:, :, None].to(states.dtype)
        return (states * weights).sum(dim=1) / weights.sum(dim=1)


def build_network(
    base: Path,
    lora: LoraRecord,
    pooling: Pooling,
    classes: int,
    *,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    lora_dropout: float = 0.0,
) -> SentenceClassifier:
    """A network whose update is zero, A and the head drawn from torch's global generator.

    Raises
    ------
    ModelError
        If the encoder has no layer from `lora.first_layer` on, or lacks a target module there.
    """
    from peft import LoraConfig, get_peft_model

    encoder = open_encoder(base, dropout=dropout, attention_dropout=attention_dropout)
    layers = range(lora.first_layer, int(encoder.config.num_hidden_layers))
    _check_targets(encoder, lora, layers)
    wanted = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # peft divides by the rank; a fraction is as good
        lora_dropout=lora_dropout,
        target_modules=list(lora.target_modules),
        layers_to_transform=list(layers),
    )
    with warnings.catch_warnings():
        # peft 0.21 asks for a name that transformers 5 has renamed; may go with a newer peft
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        adapted = get_peft_model(encoder, wanted)
    multiply_once(adapted)
    network = SentenceClassifier(adapted, int(encoder.config.hidden_size), classes, pooling, dropout)
    share_draws(network)
    return network


def trained_tensors(network: SentenceClassifier) -> dict[str, torch.Tensor]:
    """Copies of the updates, under the names that peft gives them in a file, and of the head (``head.*``)."""
    return {name: tensor.detach().clone() for name, tensor in _trained(network).items()}


def put_tensors(network: SentenceClassifier, tensors: Tensors, source: str) -> None:
    """Set updates and head to `tensors`.

    Raises
    ------
    ModelError
        If a tensor is missing, unknown, of another shape or not finite; `source` says whose they are.
    """
    own = _trained(network)
    if own.keys() != tensors.keys():
        missing, unknown = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
        told = f"lacks {missing[0]}" if missing else f"holds the unknown tensor {unknown[0]}"
        raise ModelError(f"{source} {told}", "the tensors that its card promises", "fetch or train the model again")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise ModelError(f"{source}: {name} has shape {tuple(tensor.shape)}", f"{tuple(own[name].shape)}")
        if not torch.isfinite(tensor).all():
            raise ModelError(f"{source}: {name} holds NaN or infinity", "finite weights", "train the model again")
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def check_length(network: SentenceClassifier, max_tokens: int, source: str) -> None:
    """Raise ModelError if the encoder has no positions for sentences of `max_tokens`; `source` says who wants them.

    An encoder without a table of positions reads sentences of any length.
    """
    modules = network.encoder.named_modules()
    table = next((module for name, module in modules if name.endswith("position_embeddings")), None)
    if not isinstance(table, nn.Embedding):
        return
    # RoBERTa counts from the place after padding's
    positions = table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    if max_tokens > positions:
        raise ModelError(
            f"{source}: max_tokens={max_tokens}",
            f"at most {positions}, the encoder's positions",
            "training.max_tokens in config/stages/train_sentiment_model.yaml",
        )


def merged(network: SentenceClassifier) -> SentenceClassifier:
    """The same function with the updates added into the encoder's weights; `network` is used up."""
    network.encoder = network.encoder.merge_and_unload()  # type: ignore[operator]
    network.train(False)
    return network.requires_grad_(False)


def _trained(network: SentenceClassifier) -> dict[str, torch.Tensor]:
    """The tensors themselves, by their names in a file."""
    updates: dict[str, torch.Tensor] = {
        name.replace(".default.", "."): tensor  # "default" is peft's name for the only adapter; its files leave it out
        for name, tensor in network.encoder.named_parameters()
        if "lora_" in name
    }
    return updates | {f"{_HEAD}{name}": tensor for name, tensor in network.head.named_parameters()}


def _check_targets(encoder: nn.Module, lora: LoraRecord, layers: range) -> None:
    if not layers:
        raise ModelError(f"first_layer={lora.first_layer}", f"below the encoder's {layers.stop} layers")
    linear = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    for target in lora.target_modules:
        if not any(name == target or name.endswith(f".{target}") for name in linear):
            known = sorted({name.rpartition(".")[2] for name in linear})
            raise ModelError(
                f"the encoder has no linear layer {target!r}",
                f"some of {', '.join(known)}",
                "lora.target_modules in hyperparameters/sentiment/lora.yaml",
            )
