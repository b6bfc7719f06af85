"""A sentiment model's folder as something that scores, whatever kind it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from MLOps.inference.model_files import check_digest
from MLOps.sentiment.model_card import LoraClassifierCard, VaderCard, read_sentiment_card
from MLOps.sentiment.scorer import LABELS, FloatArray, SentenceScorer
from MLOps.settings.score_news import ScoringEngineSettings

if TYPE_CHECKING:
    from MLOps.sentiment.lora_classifier import LoraClassifier
    from MLOps.sentiment.onnx_engine import Precision

_PRECISIONS: dict[Literal["onnx", "onnx_int8"], "Precision"] = {"onnx": "float32", "onnx_int8": "int8"}
_TORCH_PACKAGES = ("numpy", "peft", "tokenizers", "torch", "transformers")


def open_scorer(
    folder: Path, digest: str, base_folder: Callable[[], Path], cache: Path, engine: ScoringEngineSettings
) -> SentenceScorer:
    """What scores sentences with the model in `folder`.

    Parameters
    ----------
    folder : Path
        Holds ``model.json`` and what else its kind has.
    digest : str
        What the folder's digest must be.
    base_folder : callable
        Fetches the base model; not called for a lexicon, nor where the ONNX graph is cached.
    cache : Path
        ONNX graphs are kept below it, in ``onnx/``.
    engine : ScoringEngineSettings
        What computes an encoder; a lexicon needs none.

    Raises
    ------
    DigestError
        If the folder's digest is another one.
    ModelError
        If card, adapter or base model are not as promised, or the encoder cannot be exported.
    """
    check_digest(folder, digest)
    card = read_sentiment_card(folder)
    if isinstance(card, VaderCard):
        from MLOps.sentiment.lexicons import VaderScorer

        return VaderScorer(card)

    def load() -> "LoraClassifier":
        from MLOps.sentiment.lora_classifier import load_lora_classifier

        return load_lora_classifier(folder, digest, base_folder())

    if engine.kind == "torch":
        return _TorchScorer(load())
    from MLOps.sentiment.onnx_engine import OnnxClassifier
    from MLOps.sentiment.onnx_export import cached_onnx

    return OnnxClassifier(card, cached_onnx(digest, _PRECISIONS[engine.kind], load, cache / "onnx"), engine.threads)


def scoring_packages(card: LoraClassifierCard | VaderCard, engine: ScoringEngineSettings) -> tuple[str, ...]:
    """Libraries whose releases decide the last bits of what `open_scorer` gives."""
    if isinstance(card, VaderCard):
        return ("numpy", "vaderSentiment")
    from MLOps.sentiment.onnx_export import GRAPH_PACKAGES

    return _TORCH_PACKAGES if engine.kind == "torch" else ("numpy", *GRAPH_PACKAGES)


def deviation_from_torch(
    card: LoraClassifierCard | VaderCard, digest: str, cache: Path, engine: ScoringEngineSettings
) -> float | None:
    """Largest difference of the engine's probabilities from torch's, found when its graph was made.

    None for what is no graph, and where the graph is not in the cache.
    """
    if isinstance(card, VaderCard) or engine.kind == "torch":
        return None
    from MLOps.sentiment.onnx_export import find_onnx

    found = find_onnx(digest, _PRECISIONS[engine.kind], cache / "onnx")
    return found.deviation if found else None


class _TorchScorer:
    """A classifier in torch, on one thread and one sentence a call; the process's threads stay as they are.

    With neighbours, padding or more threads a row's last bits would be others.
    """

    kind = "lora_classifier"

    def __init__(self, classifier: "LoraClassifier") -> None:
        self._classifier = classifier

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) float64; see `SentenceScorer`."""
        from MLOps.training.random_state import isolated

        with isolated(seed=0, threads=1):
            rows = [self._classifier.probabilities([sentence]) for sentence in sentences]
        return np.concatenate([np.zeros((0, len(LABELS))), *rows])
