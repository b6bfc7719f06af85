"""Sentences as token ids, and batches of about equal lengths, so that little of a batch is padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IntArray = npt.NDArray[np.int64]
Batches = list[IntArray]


@dataclass(frozen=True)
class TokenizedSentences:
    """Token ids of K sentences, tokenised once.

    Attributes
    ----------
    ids : sequence of (n_k,) int64 tensors
        With the tokens that begin and end a sentence; cut to the model's length.
    pad_id : int
        Fills up a batch.
    """

    ids: Sequence[torch.Tensor]
    pad_id: int

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> IntArray:
        """(K,) tokens of each sentence."""
        return np.array([len(sentence) for sentence in self.ids], dtype=np.int64)

    def batch(self, rows: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids (B, T) and mask (B, T), 1 for a token and 0 for padding, T the longest of the rows."""
        ids = torch.full((len(rows), int(self.lengths[rows].max())), self.pad_id)
        for place, row in enumerate(rows):
            ids[place, : self.lengths[row]] = self.ids[row]
        return ids, self.mask(rows)

    def mask(self, rows: IntArray) -> torch.Tensor:
        """(B, T) int64, 1 for a token and 0 for padding."""
        lengths = torch.from_numpy(self.lengths[rows])
        return (torch.arange(int(lengths.max())) < lengths[:, None]).long()


@dataclass(frozen=True)
class LabelledTokens:
    """Tokenised sentences and their classes, (K,) int64."""

    sentences: TokenizedSentences
    labels: IntArray


def tokenize(tokenizer: "PreTrainedTokenizerBase", sentences: Sequence[str], max_tokens: int) -> TokenizedSentences:
    """Token ids of the sentences; longer ones are cut to `max_tokens`."""
    ids = tokenizer(list(sentences), truncation=True, max_length=max_tokens)["input_ids"] if len(sentences) else []
    return TokenizedSentences([torch.tensor(sentence) for sentence in ids], int(tokenizer.pad_token_id or 0))


def sorted_batches(lengths: IntArray, batch_size: int) -> Batches:
    """Rows in order of length, cut into batches."""
    return _cut(np.argsort(lengths, kind="stable"), batch_size)


def shuffled_batches(lengths: IntArray, batch_size: int, generator: np.random.Generator) -> Batches:
    """Batches of about equal lengths in random order: each row once, another company in each epoch.

    Rows are shuffled, sorted by length with their order kept among equals, cut, and the batches shuffled.

    Parameters
    ----------
    lengths : ndarray of shape (K,)
        Tokens of each sentence.
    batch_size : int
        Sentences in a batch; the longest batch takes what is left over.
    generator : numpy.random.Generator
        Is the only randomness.
    """
    order = generator.permutation(len(lengths))
    batches = _cut(order[np.argsort(lengths[order], kind="stable")], batch_size)
    return [batches[place] for place in generator.permutation(len(batches))]


def padding_fraction(lengths: IntArray, batches: Batches) -> float:
    """Share of padding in all batches together; 0 for none."""
    computed = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    return 1 - int(lengths[np.concatenate(batches)].sum()) / computed if batches else 0.0


def _cut(order: IntArray, size: int) -> Batches:
    return [order[start : start + size] for start in range(0, len(order), size)]
