"""The sentiment model on disk and in use: ``model.json`` and ``adapter.safetensors`` over a base model.

The adapter file holds the LoRA updates under the names that peft gives them (with an
``adapter_config.json`` of the card's rank, alpha and modules beside it, peft reads it) and the head as
``head.weight`` and ``head.bias``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from MLOps.artifacts import write_text, written_whole
from MLOps.errors import ModelError
from MLOps.inference.model_files import ADAPTER_FILE, CARD_FILE, check_digest, model_digest
from MLOps.sentiment.base_model import check_base, open_tokenizer
from MLOps.sentiment.batches import TokenizedSentences, sorted_batches, tokenize
from MLOps.sentiment.model_card import LoraClassifierCard, VaderCard, read_sentiment_card
from MLOps.sentiment.network import SentenceClassifier, Tensors, build_network, check_length, merged, put_tensors
from MLOps.sentiment.scorer import FloatArray, softmax

_BATCH_SIZE = 32


class LoraClassifier:
    """A fine-tuned encoder that scores sentences; torch's threads are the caller's.

    Parameters
    ----------
    card : LoraClassifierCard
        What it is.
    network : SentenceClassifier
        With the updates merged in; ids and mask (B, T) to logits (B, 3).
    base : Path
        Folder of the base model, for its tokenizer.
    """

    kind = "lora_classifier"

    def __init__(self, card: LoraClassifierCard, network: SentenceClassifier, base: Path) -> None:
        self.card, self.network, self.tokenizer = card, network, open_tokenizer(base)

    def tokenize(self, sentences: Sequence[str]) -> TokenizedSentences:
        """Token ids; longer sentences are cut to the card's length."""
        return tokenize(self.tokenizer, sentences, self.card.max_tokens)

    def probabilities(self, sentences: Sequence[str]) -> FloatArray:
        """(K, 3) float64, calibrated by the card's temperature; see `SentenceScorer`."""
        return softmax(logits_of(self.network, self.tokenize(sentences)) / self.card.temperature)


@torch.inference_mode()
def logits_of(network: SentenceClassifier, sentences: TokenizedSentences, batch_size: int = _BATCH_SIZE) -> FloatArray:
    """(K, C) float64 logits, computed in batches of about equal lengths; the network's mode is put back."""
    logits = np.zeros((len(sentences), network.head.out_features))
    was_training = network.training
    network.train(False)
    for rows in sorted_batches(sentences.lengths, batch_size):
        logits[rows] = network(*sentences.batch(rows)).double().numpy()
    network.train(was_training)
    return logits


def write_sentiment_model(folder: Path, card: LoraClassifierCard, tensors: Tensors) -> str:
    """Write card and adapter into `folder`, each whole or not at all; equal ones give equal bytes. Gives the digest."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / ADAPTER_FILE) as temporary:
        save_file({name: tensors[name].float().contiguous() for name in sorted(tensors)}, temporary)
    write_text(folder / CARD_FILE, card.model_dump_json(indent=2) + "\n")
    return model_digest(folder)


def load_lora_classifier(folder: Path, digest: str | None, base_folder: Path) -> LoraClassifier:
    """Load a model for scoring, every promise checked first.

    Parameters
    ----------
    folder : Path
        Holds model.json and adapter.safetensors.
    digest : str or None
        What the registry says that the folder's digest is; None trusts the folder.
    base_folder : Path
        Of the base model that the card names.

    Raises
    ------
    DigestError
        If the folder's digest is another one.
    ModelError
        If card or adapter is missing or malformed, a tensor is not as the card promises, or the base
        model is another one than the adapter was trained on, or has too few positions for the card's length.
    """
    if digest is not None:
        check_digest(folder, digest)
    card = read_sentiment_card(folder)
    if isinstance(card, VaderCard):
        raise ModelError(f"{folder} holds a model of kind {card.kind}", "kind lora_classifier")
    tensors = _read_adapter(folder / ADAPTER_FILE)
    check_base(base_folder, card.base_model)
    with torch.random.fork_rng(devices=[]):
        network = build_network(base_folder, card.lora, card.pooling, len(card.labels))
    check_length(network, card.max_tokens, str(folder / CARD_FILE))
    put_tensors(network, tensors, str(folder / ADAPTER_FILE))
    return LoraClassifier(card, merged(network), base_folder)


def _read_adapter(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "a safetensors file", "fetch or train it again") from error
