"""A tiny encoder that is made here: two layers, 32 units, random weights, a small WordPiece vocabulary."""

import string
from collections.abc import Callable
from pathlib import Path

import pytest

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = (
    *("the", "a", "of", "and", "is", "was", "market", "shares", "company", "profit", "loss", "report", "today"),
    *("good", "great", "rise", "gain", "strong", "bad", "awful", "fall", "weak", "flat", "same", "plain", "table"),
)


def make_tiny_base(folder: Path, seed: int) -> Path:
    """Save a BERT with random weights and its tokenizer as transformers does."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = (*string.ascii_lowercase, *string.digits, *string.punctuation)
    pieces = (*_SPECIAL, *_WORDS, *letters, *(f"##{letter}" for letter in letters))
    vocabulary = {piece: position for position, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_base_model() -> Callable[[Path, int], Path]:
    """``make_base_model(folder, seed)``: a tiny encoder of its own weights in `folder`."""
    return make_tiny_base


@pytest.fixture(scope="session")
def tiny_base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny encoder: config.json, model.safetensors, tokenizer. Only read it."""
    return make_tiny_base(tmp_path_factory.mktemp("tiny") / "model", seed=3)
