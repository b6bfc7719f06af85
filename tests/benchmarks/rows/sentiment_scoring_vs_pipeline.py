"""Sentences a second of our scoring and of ``transformers.pipeline``: real news, one merged MiniLM, equal threads."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparison import Demand, Measurement, Row, in_turns, require_equal
from news_sentences import CACHE, read_news_sentences, write_model
from transformers import PreTrainedModel, pipeline
from transformers import logging as transformers_logging
from transformers.modeling_outputs import SequenceClassifierOutput

from MLOps.inference.model_files import model_digest
from MLOps.sentiment.lora_classifier import LoraClassifier, load_lora_classifier
from MLOps.sentiment.open_scorer import open_scorer
from MLOps.sentiment.scorer import LABELS, FloatArray, SentenceScorer
from MLOps.settings.score_news import ScoringEngineSettings
from MLOps.training.random_state import isolated

_LOG = logging.getLogger(__name__)
_SENTENCES, _SENTENCES_QUICK, _RUNS = 400, 40, 5
_BATCH_SIZES = (8, 16, 32, 64)
_THREADS = min(2, len(os.sched_getaffinity(0)))
_TARGET = 4.0
Scores = Callable[[Sequence[str]], FloatArray]


class _AsTransformersModel(PreTrainedModel):
    """Our merged network as the kind of model that a pipeline takes; it adds nothing to the computation."""

    _supports_sdpa = True

    def __init__(self, classifier: LoraClassifier) -> None:
        config = classifier.network.encoder.config
        config.num_labels = len(LABELS)
        config.id2label, config.label2id = dict(enumerate(LABELS)), {name: i for i, name in enumerate(LABELS)}
        super().__init__(config)
        self.network = classifier.network

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: torch.Tensor
    ) -> SequenceClassifierOutput:
        return SequenceClassifierOutput(logits=self.network(input_ids, attention_mask))


class Peer:
    """The pipeline, as its documentation uses it."""

    def __init__(self, classifier: LoraClassifier) -> None:
        transformers_logging.set_verbosity(logging.CRITICAL)  # it complains of a model that is not one of its own
        self._max_tokens = classifier.card.max_tokens
        self._pipeline: Any = pipeline(
            "text-classification", model=_AsTransformersModel(classifier), tokenizer=classifier.tokenizer, top_k=None
        )

    def probabilities(self, sentences: Sequence[str], batch_size: int = 1) -> FloatArray:
        """(K, 3), in the order of `LABELS`."""
        with isolated(seed=0, threads=_THREADS):
            told = self._pipeline(list(sentences), batch_size=batch_size, truncation=True, max_length=self._max_tokens)
        return np.array([[{row["label"]: row["score"] for row in rows}[label] for label in LABELS] for rows in told])


def measure(*, is_quick: bool) -> Measurement:
    """Check, time, and look at the peer's best batch size and at int8."""
    sentences = read_news_sentences(_SENTENCES_QUICK if is_quick else _SENTENCES)
    with tempfile.TemporaryDirectory() as folder:
        return _measure(sentences, Path(folder), runs=1 if is_quick else _RUNS)


def _measure(sentences: list[str], folder: Path, runs: int) -> Measurement:
    base = write_model(folder)
    peer = Peer(load_lora_classifier(folder, None, base))
    ours, int8 = (_scorer(folder, base, kind) for kind in ("onnx", "onnx_int8"))
    _LOG.info("checking")
    expected = peer.probabilities(sentences, batch_size=16)
    checked = require_equal("probabilities", ours.probabilities(sentences), expected, rtol=9e-5, atol=1e-5)
    _LOG.info("timing")
    timing = in_turns(
        partial(_speed, peer.probabilities, sentences), partial(_speed, ours.probabilities, sentences), runs
    )
    sizes = _BATCH_SIZES if runs > 1 else _BATCH_SIZES[:1]
    by_batch = {size: _speed(partial(peer.probabilities, batch_size=size), sentences) for size in sizes}
    best = max(by_batch, key=lambda size: by_batch[size])
    int8_speed = _speed(int8.probabilities, sentences)
    deviation = float(np.abs(int8.probabilities(sentences) - expected).max())
    return Measurement(
        timing=timing,
        check=checked,
        size={"sentences": len(sentences), "characters": sum(map(len, sentences)), "threads": _THREADS},
        demands=(Demand("ours to its best batch size", timing.ours / by_batch[best], 1.0, "times", is_floor=True),),
        findings=(
            f"the pipeline at its best batch size, {best}: {by_batch[best]:.0f} sentences/s",
            f"ours with int8 weights: {int8_speed:.0f} sentences/s, probabilities off by up to {deviation:.2g}",
        ),
        notes=(
            "Both score the same sentences of real news, none twice, tokenising included, with as many threads.",
            "The peer's figure is of its default, one sentence a call; the finding beside it has its best batch size.",
            "Its weights are random: no figure of its quality follows.",
        ),
        details={
            "pipeline_sentences_per_second_by_batch_size": by_batch,
            "int8_sentences_per_second": int8_speed,
            "int8_largest_deviation": deviation,
        },
    )


def _scorer(folder: Path, base: Path, kind: str) -> SentenceScorer:
    engine = ScoringEngineSettings.model_validate({"kind": kind, "threads": _THREADS})
    return open_scorer(folder, model_digest(folder), lambda: base, CACHE, engine)


def _speed(scores: Scores, sentences: Sequence[str]) -> float:
    """Sentences a second."""
    started = time.perf_counter()
    scores(sentences)
    return len(sentences) / (time.perf_counter() - started)


ROW = Row(unit="sentences/s", is_higher_better=True, target_ratio=_TARGET, measure=measure)
