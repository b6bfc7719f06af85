"""The model on disk: written with equal bytes, read with every promise checked, scoring each sentence by itself."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from MLOps.errors import DigestError, ModelError
from MLOps.inference.model_files import model_digest
from MLOps.sentiment.base_model import BaseModel, base_digest
from MLOps.sentiment.lora_classifier import LoraClassifier, load_lora_classifier, write_sentiment_model
from MLOps.sentiment.model_card import LoraClassifierCard, LoraRecord
from MLOps.sentiment.network import build_network, trained_tensors
from MLOps.sentiment.open_scorer import open_scorer
from MLOps.sentiment.scorer import LABELS, SentenceScorer
from MLOps.settings.score_news import ScoringEngineSettings

LORA = LoraRecord(rank=2, alpha=4, target_modules=("query", "dense"), first_layer=1)
SENTENCES = [
    "the market is good",
    "awful",
    "",
    "a loss of the company and a great fall of shares today " * 20,
    "🚀 ¡é <b>",
]


def card_of(base: Path) -> LoraClassifierCard:
    return LoraClassifierCard(
        base_model=BaseModel(base, "tiny", base_digest(base)).record,
        labels=LABELS,
        lora=LORA,
        pooling="mean",
        max_tokens=24,
        temperature=1.5,
        training_groups=(),
        provenance={"seed": 1},
    )


def random_tensors(base: Path, seed: int = 5) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = trained_tensors(build_network(base, LORA, "mean", 3))
    return {name: torch.randn(tensor.shape, generator=generator) * 0.3 for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def model(tiny_base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_sentiment_model(folder, card_of(tiny_base_model), random_tensors(tiny_base_model))
    return folder


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copy"))


@pytest.fixture(scope="module")
def classifier(model: Path, tiny_base_model: Path) -> LoraClassifier:
    return load_lora_classifier(model, model_digest(model), tiny_base_model)


def test_written_twice_gives_the_same_bytes(model: Path, tiny_base_model: Path, tmp_path: Path) -> None:
    tensors = random_tensors(tiny_base_model)
    backwards = dict(reversed(tensors.items()))
    assert write_sentiment_model(tmp_path, card_of(tiny_base_model), backwards) == model_digest(model)


def test_loaded_one_computes_what_the_unmerged_network_does(classifier: LoraClassifier, tiny_base_model: Path) -> None:
    network = build_network(tiny_base_model, LORA, "mean", 3)
    from MLOps.sentiment.network import put_tensors

    put_tensors(network, random_tensors(tiny_base_model), "a test")
    network.train(False)
    ids, mask = classifier.tokenize(SENTENCES).batch(np.arange(len(SENTENCES)))
    expected = torch.softmax(network(ids, mask) / 1.5, dim=1).detach().numpy()
    np.testing.assert_allclose(classifier.probabilities(SENTENCES), expected, atol=1e-6)
    untouched = build_network(tiny_base_model, LORA, "mean", 3).train(False)
    assert not np.allclose(torch.softmax(untouched(ids, mask) / 1.5, dim=1).detach().numpy(), expected, atol=1e-3)


def test_row_depends_on_its_sentence_alone(classifier: LoraClassifier) -> None:
    scorer: SentenceScorer = classifier
    together = scorer.probabilities(SENTENCES * 20)
    alone = np.concatenate([scorer.probabilities([sentence]) for sentence in SENTENCES])
    np.testing.assert_allclose(together, np.tile(alone, (20, 1)), atol=1e-5)
    np.testing.assert_allclose(together.sum(axis=1), 1.0)
    assert scorer.probabilities([]).shape == (0, 3)


def test_megabyte_of_text_is_cut(classifier: LoraClassifier) -> None:
    assert np.isfinite(classifier.probabilities(["good " * 200_000])).all()


def test_peft_reads_the_adapter(model: Path, tiny_base_model: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, PeftModel
    from transformers import AutoModel

    LoraConfig(r=2, lora_alpha=4, target_modules=["query", "dense"], layers_to_transform=[1]).save_pretrained(tmp_path)
    shutil.copy(model / "adapter.safetensors", tmp_path / "adapter_model.safetensors")
    adapted = PeftModel.from_pretrained(AutoModel.from_pretrained(tiny_base_model), str(tmp_path))
    read = {name: tensor for name, tensor in adapted.named_parameters() if "lora_" in name}
    stored = load_file(model / "adapter.safetensors")
    assert len(read) == len(stored) - 2
    assert all(torch.equal(tensor, stored[name.replace(".default.", ".")]) for name, tensor in read.items())


def test_loading_draws_nothing_from_the_global_generator(model: Path, tiny_base_model: Path) -> None:
    before = torch.get_rng_state()
    load_lora_classifier(model, None, tiny_base_model)
    assert torch.equal(torch.get_rng_state(), before)


def test_altered_file_is_refused_by_its_digest(copy: Path, tiny_base_model: Path) -> None:
    digest = model_digest(copy)
    adapter = copy / "adapter.safetensors"
    adapter.write_bytes(adapter.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(DigestError):
        load_lora_classifier(copy, digest, tiny_base_model)


def spoil(adapter: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(adapter)
    change(tensors)
    save_file(tensors, adapter)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors: tensors.pop("head.bias"), "lacks head.bias"),
        (lambda tensors: tensors.update(more=torch.zeros(2)), "unknown tensor more"),
        (lambda tensors: tensors.update({"head.bias": torch.zeros(4)}), r"head.bias has shape \(4,\)"),
        (lambda tensors: tensors["head.weight"].fill_(float("nan")), "head.weight holds NaN"),
    ],
)
def test_adapter_that_is_not_what_the_card_promises(
    copy: Path, tiny_base_model: Path, change: Callable[[dict[str, torch.Tensor]], object], told: str
) -> None:
    spoil(copy / "adapter.safetensors", change)
    with pytest.raises(ModelError, match=told):
        load_lora_classifier(copy, None, tiny_base_model)


@pytest.mark.parametrize("spoiled", [b"", b"\xff" * 40, b"PK\x03\x04 a pickle"])
def test_corrupted_adapter_gives_one_line(copy: Path, tiny_base_model: Path, spoiled: bytes) -> None:
    (copy / "adapter.safetensors").write_bytes(spoiled)
    with pytest.raises(ModelError, match=r"adapter.safetensors cannot be read") as raised:
        load_lora_classifier(copy, None, tiny_base_model)
    assert "\n" not in str(raised.value)


def test_adapter_of_another_base_model_is_refused(
    model: Path, make_base_model: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="trained on another base model"):
        load_lora_classifier(model, None, make_base_model(tmp_path / "other", 4))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "holds no model.json"),
        ("{}", "Unable to extract tag"),
        ('{"kind": "lora_classifier"}', "base_model Field required"),
        ('{"kind": "mlp_actor"}', "kinds lora_classifier and vader"),
        ('{"kind": "vader", "version": "3"}', "kind vader"),
    ],
)
def test_folder_without_its_card(copy: Path, tiny_base_model: Path, text: str | None, told: str) -> None:
    (copy / "model.json").unlink()
    if text is not None:
        (copy / "model.json").write_text(text)
    with pytest.raises(ModelError, match=told):
        load_lora_classifier(copy, None, tiny_base_model)


@pytest.mark.parametrize(
    "labels",
    [("positive", "neutral", "negative"), ("negative", "positive"), (*LABELS, "mixed")],
    ids=["turned", "two", "four"],
)
def test_card_of_other_classes_is_refused_wherever_scores_are_made(
    copy: Path, tiny_base_model: Path, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    card = json.loads((copy / "model.json").read_text()) | {"labels": labels}
    (copy / "model.json").write_text(json.dumps(card))
    told = rf"labels .* is {', '.join(labels)}, not negative, neutral, positive"
    with pytest.raises(ModelError, match=told):
        load_lora_classifier(copy, None, tiny_base_model)
    engine = ScoringEngineSettings.model_validate({"kind": "torch", "threads": 1})
    with pytest.raises(ModelError, match=told):
        open_scorer(copy, model_digest(copy), lambda: tiny_base_model, tmp_path / "cache", engine)


def test_card_of_a_length_that_the_encoder_has_no_positions_for(copy: Path, tiny_base_model: Path) -> None:
    for length in (64, 65):
        card = json.loads((copy / "model.json").read_text()) | {"max_tokens": length}
        (copy / "model.json").write_text(json.dumps(card))
        if length == 64:
            load_lora_classifier(copy, None, tiny_base_model).probabilities(["good " * 200])
    with pytest.raises(ModelError, match=r"model.json: max_tokens=65; allowed: at most 64"):
        load_lora_classifier(copy, None, tiny_base_model)


def test_module_that_the_encoder_lacks(tiny_base_model: Path) -> None:
    with pytest.raises(ModelError, match=r"no linear layer 'q_proj'.*query"):
        build_network(tiny_base_model, LORA.model_copy(update={"target_modules": ("query", "q_proj")}), "mean", 3)
    with pytest.raises(ModelError, match="first_layer=2"):
        build_network(tiny_base_model, LORA.model_copy(update={"first_layer": 2}), "mean", 3)
