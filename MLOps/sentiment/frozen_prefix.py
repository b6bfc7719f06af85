"""The encoder's layers below the first update: no gradient, no dropout, and once for each sentence where that fits.

They give a sentence the same states in every epoch, so that an epoch need not compute them again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from MLOps.sentiment.batches import IntArray, TokenizedSentences, sorted_batches

_KINDS = ("bert", "distilbert", "electra", "roberta", "xlm-roberta")
"""Encoders whose layers hand on their states and nothing else; the tests show it for each."""


class FrozenPrefix:
    """The layers of an encoder below `first_layer`.

    Parameters
    ----------
    encoder : Module
        With or without peft around it; only its list of layers is touched, and put back after each use.
    first_layer : int
        The first layer that learns; at least 1.
    """

    def __init__(self, encoder: nn.Module, first_layer: int) -> None:
        self._encoder, self._first = encoder, first_layer
        self._layers = _layers_of(encoder)

    @staticmethod
    def is_known_for(encoder: nn.Module, first_layer: int) -> bool:
        """Whether there are layers below the first update, in an encoder that can be entered in the middle."""
        return first_layer > 0 and _config_of(encoder).model_type in _KINDS

    @torch.no_grad()
    def states(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, T, H) input of the first layer that learns."""
        tap, was_training = _Tap(), self._encoder.training
        above = [tap, *(_Through() for _ in range(len(self._layers) - self._first - 1))]
        self._encoder.train(False)
        with self._replaced(self._first, above):
            self._encoder(input_ids=ids, attention_mask=mask)
        self._encoder.train(was_training)
        assert tap.states is not None
        return tap.states

    @contextmanager
    def given(self, states: torch.Tensor) -> Iterator[None]:
        """Within the context the encoder begins at the first layer that learns, with these states (B, T, H)."""
        below = [*(_Through() for _ in range(self._first - 1)), _Source(states)]
        with self._replaced(0, below):
            yield

    @contextmanager
    def _replaced(self, start: int, modules: Sequence[nn.Module]) -> Iterator[None]:
        kept = [self._layers[start + place] for place in range(len(modules))]
        try:
            for place, module in enumerate(modules):
                self._layers[start + place] = module
            yield
        finally:
            for place, module in enumerate(kept):
                self._layers[start + place] = module


class KeptStates:
    """States of all sentences before the first layer that learns, float32, without padding.

    Parameters
    ----------
    prefix : FrozenPrefix
        Computes them.
    sentences : TokenizedSentences
        Of the whole training.
    batch_size : int
        Sentences computed together.
    """

    def __init__(self, prefix: FrozenPrefix, sentences: TokenizedSentences, batch_size: int) -> None:
        lengths = sentences.lengths
        self._starts = np.cumsum(lengths) - lengths
        self._sentences, self._states = sentences, torch.empty(0)
        for rows in sorted_batches(lengths, batch_size):
            ids, mask = sentences.batch(rows)
            states = prefix.states(ids, mask)
            if not len(self._states):
                self._states = torch.empty(int(lengths.sum()), states.shape[-1])
            self._states[self._places(rows)] = states[mask.bool()].float()

    @staticmethod
    def mib(sentences: TokenizedSentences, hidden_size: int) -> float:
        """Memory that they take."""
        return float(sentences.lengths.sum()) * hidden_size * 4 / 2**20

    def batch(self, rows: IntArray) -> torch.Tensor:
        """(B, T, H), zero where there is padding."""
        mask = self._sentences.mask(rows).bool()
        states = self._states.new_zeros((*mask.shape, self._states.shape[1]))
        states[mask] = self._states[self._places(rows)]
        return states

    def _places(self, rows: IntArray) -> torch.Tensor:
        """Where the tokens of the rows lie, one row after another."""
        lengths = self._sentences.lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return torch.from_numpy(np.repeat(self._starts[rows], lengths) + within)


class _Through(nn.Module):
    def forward(self, states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return states


class _Tap(nn.Module):
    states: torch.Tensor | None = None

    def forward(self, states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        self.states = states
        return states


class _Source(nn.Module):
    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self._states = states

    def forward(self, *_: Any, **__: Any) -> torch.Tensor:
        return self._states


def _layers_of(encoder: nn.Module) -> nn.ModuleList:
    count = int(_config_of(encoder).num_hidden_layers)
    return next(module for module in encoder.modules() if isinstance(module, nn.ModuleList) and len(module) == count)


def _config_of(encoder: nn.Module) -> Any:
    return encoder.config
