"""Adapters over a tiny encoder, opened and scored as in use: good ones, broken ones, and those of another encoder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deployment.promotion import promote_sentiment_model as stage
from MLOps.inference.model_files import ADAPTER_FILE
from MLOps.sentiment.base_model import BaseModel, base_digest
from MLOps.sentiment.batches import tokenize
from MLOps.sentiment.lora_classifier import logits_of, write_sentiment_model
from MLOps.sentiment.model_card import LoraClassifierCard, LoraRecord
from MLOps.sentiment.network import build_network, trained_tensors
from MLOps.sentiment.scorer import LABELS
from model_registry.family import SENTIMENT
from model_registry.registry import CHALLENGER, ModelVersion

WORDS = np.array(["the report", "a table", "today"])
"""A sentence of each class; no word of them is in a lexicon."""
LORA = LoraRecord(rank=2, alpha=4, target_modules=("query",), first_layer=1)
Arena = Any  # of this folder's conftest.py


@pytest.fixture
def arena(make_real_arena: Callable[[], Arena]) -> Arena:
    """An arena whose sentences the tiny encoder knows."""
    arena = make_real_arena()
    arena.write_labelled(text=WORDS[arena.write_labelled()["label"]])
    return arena


def trained(base: Path) -> tuple[LoraClassifierCard, dict[str, torch.Tensor]]:
    """Card and tensors of a model that is right about every sentence: a head solved for, over an update of zero."""
    network = build_network(base, LORA, "mean", len(LABELS))
    card = LoraClassifierCard(
        base_model=BaseModel(base, "tiny", base_digest(base)).record,
        labels=LABELS,
        lora=LORA,
        pooling="mean",
        max_tokens=16,
        temperature=1.0,
        training_groups=(),
        provenance={},
    )
    from MLOps.sentiment.base_model import open_tokenizer

    sentences = tokenize(open_tokenizer(base), WORDS.tolist(), card.max_tokens)
    size = network.head.in_features
    network.head = torch.nn.Linear(size, size)
    with torch.no_grad():
        network.head.weight.copy_(torch.eye(size))
        network.head.bias.zero_()
    states = torch.from_numpy(logits_of(network, sentences)).float()
    head = torch.linalg.lstsq(states, 9 * torch.eye(len(LABELS))).solution.T
    return card, trained_tensors(network) | {"head.weight": head, "head.bias": torch.zeros(len(LABELS))}


def register(arena: Arena, card: LoraClassifierCard, tensors: dict[str, torch.Tensor]) -> ModelVersion:
    folder = arena.workspace / "trained" / "real"
    write_sentiment_model(folder, card, tensors)
    return challenge(arena, folder)


def challenge(arena: Arena, folder: Path) -> ModelVersion:
    version: ModelVersion = arena.registry.register(folder, "sentiment", {})
    arena.registry.set_alias("sentiment", CHALLENGER, version.version)
    return version


def encoders(base: Path, champions: Path | None = None) -> list[str]:
    """Overrides that name the base models."""
    return [
        "sentiment_models@base_model=local_folder",
        f"base_model.folder={base}",
        "sentiment_models@champion_base_model=local_folder",
        f"champion_base_model.folder={champions or base}",
    ]


def promote(arena: Arena, overrides: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    status = stage.main([*arena.overrides, *overrides])
    out, err = capsys.readouterr()
    assert status == 0, err
    return dict(json.loads(out.splitlines()[-1]))


def failed_gates(result: dict[str, Any]) -> list[str]:
    verdict = json.loads(Path(result["artifacts"]["verdict"]["path"]).read_text())
    return [gate["gate"] for gate in verdict["gates"] if not gate["passed"]]


def test_model_that_is_always_right_becomes_champion(
    arena: Arena, tiny_base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = register(arena, *trained(tiny_base_model))
    result = promote(arena, encoders(tiny_base_model), capsys)
    assert (result["details"]["verdict"], result["metrics"]["macro_f1"]) == ("passed", 1.0)
    assert arena.champion == version


def test_champion_of_another_encoder_is_scored_with_its_own(
    arena: Arena,
    tiny_base_model: Path,
    make_base_model: Callable[[Path, int], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = register(arena, *trained(tiny_base_model))
    assert failed_gates(promote(arena, encoders(tiny_base_model), capsys)) == []
    other = make_base_model(tmp_path / "other", 8)
    second = register(arena, *trained(other))
    assert stage.main([*arena.overrides, *encoders(other)]) == 6
    assert "the adapter was trained on another base model" in capsys.readouterr().err
    assert arena.champion == first
    result = promote(arena, encoders(other, champions=tiny_base_model), capsys)
    assert failed_gates(result) == []
    assert result["metrics"]["macro_f1_champion"] == 1.0
    assert arena.champion == second


def test_adapter_of_another_encoder_is_rejected(
    arena: Arena,
    tiny_base_model: Path,
    make_base_model: Callable[[Path, int], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = arena.champion
    register(arena, *trained(tiny_base_model))
    result = promote(arena, encoders(make_base_model(tmp_path / "other", 8)), capsys)
    assert failed_gates(result) == ["model_loads", *SENTIMENT.gates[2:]]
    assert "the adapter was trained on another base model" in result["details"]["reasons"]
    assert arena.champion == first


@pytest.mark.parametrize("harm", ["no safetensors", "a tensor of another shape", "infinite weights"])
def test_broken_adapter_that_was_registered_is_rejected(
    arena: Arena, tiny_base_model: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    first = arena.champion
    card, tensors = trained(tiny_base_model)
    if harm == "a tensor of another shape":
        tensors["head.bias"] = torch.zeros(4)
    if harm == "infinite weights":
        tensors["head.weight"][0, 0] = torch.inf
    folder = arena.workspace / "trained" / "broken"
    write_sentiment_model(folder, card, tensors)
    if harm == "no safetensors":
        (folder / ADAPTER_FILE).write_bytes(b"pickle")
    challenge(arena, folder)
    result = promote(arena, encoders(tiny_base_model), capsys)
    assert failed_gates(result) == ["model_loads", *SENTIMENT.gates[2:]]
    assert "the model does not load" in result["details"]["reasons"]
    assert arena.champion == first


def test_encoder_that_cannot_be_had_is_one_line_and_no_verdict(
    arena: Arena, tiny_base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(arena, *trained(tiny_base_model))
    hub = ["sentiment_models@base_model=hub"]
    assert stage.main([*arena.overrides, *hub]) == 4
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert "cannot be fetched from the hub" in told[0]
    assert arena.registry.verdicts(arena.challenger) == ()
