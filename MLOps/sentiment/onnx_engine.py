"""Scores sentences with ONNX Runtime; torch and transformers stay out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from MLOps.sentiment.model_card import LoraClassifierCard
from MLOps.sentiment.scorer import LABELS, FloatArray, softmax

Precision = Literal["float32", "int8"]
IntArray = npt.NDArray[np.int64]
_CALL_TOKENS = 256  # more of them were no faster


@dataclass(frozen=True)
class OnnxModel:
    """An encoder's graph on this machine, and what belongs to it.

    Attributes
    ----------
    graph : Path
        Takes ids (B, T) int64 of B sentences of T tokens each, gives states (B, T, H) float32.
    head : Path
        Safetensors: ``weight`` (3, H) and ``bias`` (3,) float32.
    tokenizer : Path
        The fast tokenizer's JSON.
    precision : str
        Of the graph's weights.
    deviation : float
        Largest difference of its probabilities from torch's when it was made.
    """

    graph: Path
    head: Path
    tokenizer: Path
    precision: Precision
    deviation: float


class OnnxClassifier:
    """A fine-tuned encoder as an ONNX graph, its head in NumPy.

    Only sentences of one length share a call, so that no padding is computed or masked; as many calls
    run at a time as there are threads, each on a core of its own. A sentence's row is the same to the
    last bit whatever is scored with it: the graph treats all of a call's rows alike, and the head sums
    in one order. So old scores out of a cache and new ones can be mixed. An int8 graph puts all that a
    call takes in on one scale; it gets one sentence a call.

    Parameters
    ----------
    card : LoraClassifierCard
        Its length, pooling and temperature.
    model : OnnxModel
        Its files.
    threads : int
        Calls at a time.
    """

    kind = "lora_classifier"

    def __init__(self, card: LoraClassifierCard, model: OnnxModel, threads: int) -> None:
        import onnxruntime
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(model.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(card.max_tokens)
        head = load_file(model.head)
        self._weight, self._bias = head["weight"].astype(np.float64), head["bias"].astype(np.float64)
        self._card, self._threads = card, threads
        self._call_tokens = _CALL_TOKENS if model.precision == "float32" else 0

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) float64, calibrated by the card's temperature; equal sentences are computed once."""
        place = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(place))]
        calls = equal_length_batches(np.array([len(tokens) for tokens in ids], dtype=np.int64), self._call_tokens)
        logits = np.zeros((len(ids), len(LABELS)))
        with ThreadPoolExecutor(self._threads) as threads:
            batches = [np.array([ids[row] for row in rows], dtype=np.int64) for rows in calls]
            for rows, of_call in zip(calls, threads.map(self._logits, batches), strict=True):
                logits[rows] = of_call
        return softmax(logits[[place[sentence] for sentence in sentences]] / self._card.temperature)

    def _logits(self, ids: IntArray) -> FloatArray:
        """(B, 3) logits of ids (B, T); a sum runs along one axis of one row, in an order that B does not change."""
        states = self._session.run(["states"], {"ids": ids})[0]
        pooled = states.mean(axis=1, dtype=np.float64) if self._card.pooling == "mean" else states[:, 0].astype(float)
        return np.asarray((pooled[:, None, :] * self._weight).sum(axis=2) + self._bias)


def equal_length_batches(lengths: IntArray, call_tokens: int) -> list[IntArray]:
    """Rows of one length at a time, the longest first, `call_tokens` tokens together at most, one row at least."""
    order = np.argsort(-lengths, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1) if len(order) else []
    sizes = [max(1, call_tokens // max(1, int(lengths[rows[0]]))) for rows in groups]
    return [
        rows[start : start + size]
        for rows, size in zip(groups, sizes, strict=True)
        for start in range(0, len(rows), size)
    ]
