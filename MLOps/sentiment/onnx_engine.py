"""Scores sentences with ONNX Runtime; torch and transformers stay out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from MLOps.sentiment.model_card import LoraClassifierCard
from MLOps.sentiment.scorer import LABELS, FloatArray, softmax

Precision = Literal["float32", "int8"]


@dataclass(frozen=True)
class OnnxModel:
    """A graph on this machine.

    Attributes
    ----------
    graph : Path
        Takes ids (B, T) int64 of B sentences of T tokens each, gives logits (B, 3) float32.
    tokenizer : Path
        The fast tokenizer's JSON.
    deviation : float
        Largest difference of its probabilities from torch's when it was made.
    """

    graph: Path
    tokenizer: Path
    deviation: float


class OnnxClassifier:
    """A fine-tuned encoder as an ONNX graph.

    One sentence a call, as many calls at a time as there are threads: no padding is computed, no core
    waits for another one, and a sentence's row is the same to the last bit whatever is scored with it,
    so that scores from a cache and new ones can be mixed. Calls of several sentences were a sixth
    faster, and changed the last bits.

    Parameters
    ----------
    card : LoraClassifierCard
        Its length and temperature.
    model : OnnxModel
        Graph and tokenizer.
    threads : int
        Calls at a time.
    """

    kind = "lora_classifier"

    def __init__(self, card: LoraClassifierCard, model: OnnxModel, threads: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(model.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(card.max_tokens)
        self._temperature, self._threads = card.temperature, threads

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) float64, calibrated by the card's temperature; equal sentences are computed once."""
        place = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
        encodings = self._tokenizer.encode_batch_fast(list(place))
        logits = np.zeros((len(place), len(LABELS)))
        with ThreadPoolExecutor(self._threads) as threads:
            for row, of_sentence in enumerate(threads.map(self._logits, [encoding.ids for encoding in encodings])):
                logits[row] = of_sentence
        return softmax(logits[[place[sentence] for sentence in sentences]] / self._temperature)

    def _logits(self, ids: list[int]) -> FloatArray:
        logits: FloatArray = self._session.run(["logits"], {"ids": np.array([ids], dtype=np.int64)})[0][0]
        return logits
