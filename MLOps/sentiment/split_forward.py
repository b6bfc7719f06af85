"""The network over the sentences of one split, as training wants it: frozen layers once, in the wanted precision."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch

from MLOps.sentiment.batches import IntArray, TokenizedSentences, sorted_batches
from MLOps.sentiment.frozen_prefix import FrozenPrefix, KeptStates
from MLOps.sentiment.network import SentenceClassifier
from MLOps.sentiment.scorer import FloatArray

_BATCH_SIZE = 64
"""Sentences computed together where nothing is learnt."""


class SplitForward:
    """Logits of a split's sentences.

    Parameters
    ----------
    network : SentenceClassifier
        Its weights may change between calls, those of the frozen layers excepted.
    sentences : TokenizedSentences
        Of the split.
    first_layer : int
        The layers below it are frozen.
    keeps_states : bool
        Their states are computed once and kept; else anew for each batch.
    precision : callable
        Gives what a forward pass is run in.
    """

    def __init__(
        self,
        network: SentenceClassifier,
        sentences: TokenizedSentences,
        first_layer: int,
        keeps_states: bool,
        precision: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.network, self.sentences, self._precision = network, sentences, precision
        self._prefix = (
            FrozenPrefix(network.encoder, first_layer)
            if FrozenPrefix.is_known_for(network.encoder, first_layer)
            else None
        )
        self._kept: KeptStates | None = None
        if self._prefix is not None and keeps_states:
            with self._precision():
                self._kept = KeptStates(self._prefix, sentences, _BATCH_SIZE)

    def logits(self, rows: IntArray) -> torch.Tensor:
        """(B, C) float32, with the gradient of update and head."""
        ids, mask = self.sentences.batch(rows)
        with self._precision(), self._entered(rows, ids, mask):
            logits: torch.Tensor = self.network(ids, mask)
        return logits.float()

    @torch.no_grad()
    def all_logits(self) -> FloatArray:
        """(K, C) float64 of all sentences, without dropout."""
        logits = np.zeros((len(self.sentences), self.network.head.out_features))
        self.network.train(False)
        for rows in sorted_batches(self.sentences.lengths, _BATCH_SIZE):
            logits[rows] = self.logits(rows).double().numpy()
        return logits

    def _entered(self, rows: IntArray, ids: torch.Tensor, mask: torch.Tensor) -> AbstractContextManager[None]:
        if self._prefix is None:
            return nullcontext()
        return self._prefix.given(self._kept.batch(rows) if self._kept else self._prefix.states(ids, mask))
