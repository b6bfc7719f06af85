"""A sentiment model's folder as something that scores, whatever kind it is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from MLOps.inference.model_files import check_digest
from MLOps.sentiment.model_card import VaderCard, read_sentiment_card
from MLOps.sentiment.scorer import FloatArray, SentenceScorer
from MLOps.settings.score_news import ScoringEngineSettings

if TYPE_CHECKING:
    from MLOps.sentiment.lora_classifier import LoraClassifier
    from MLOps.sentiment.onnx_engine import Precision


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
        return _TorchScorer(load(), engine.threads)
    from MLOps.sentiment.onnx_engine import OnnxClassifier
    from MLOps.sentiment.onnx_export import cached_onnx

    precision: Precision = "int8" if engine.kind == "onnx_int8" else "float32"
    return OnnxClassifier(card, cached_onnx(digest, precision, load, cache / "onnx"), engine.threads)


class _TorchScorer:
    """A classifier in torch with threads of its own; the process's stay as they are."""

    kind = "lora_classifier"

    def __init__(self, classifier: "LoraClassifier", threads: int) -> None:
        self._classifier, self._threads = classifier, threads

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) float64; see `SentenceScorer`."""
        from MLOps.training.random_state import isolated

        with isolated(seed=0, threads=self._threads):
            return self._classifier.probabilities(sentences)
