"""How a model was trained, in words, out of its folder or its delivery."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from MLOps.inference.timing_model import write_buy_first
from MLOps.inference.trained_model import read_trained_model, told_training


@pytest.mark.parametrize(
    ("provenance", "told"),
    [
        ({"frames": 300_000, "seed": 777, "stopped_early": False}, "300,000 frames, seed 777"),
        ({"frames": 130_016, "seed": 1, "stopped_early": True}, "130,016 frames, stopped early, seed 1"),
        ({"seed": 777}, "seed 777"),
        ({}, "training not told"),
        ({"frames": None, "seed": "odd"}, "training not told"),
    ],
)
def test_training_is_told_by_frames_and_seed(provenance: dict[str, Any], told: str) -> None:
    assert told_training(provenance) == told


def test_model_folder_tells_its_coin(tmp_path: Path, make_timing_model: Callable[..., str]) -> None:
    make_timing_model(tmp_path / "model", seed=5, symbol="ETH")
    found = read_trained_model(tmp_path / "model")
    assert found is not None
    assert (found.symbol, found.digest, found.training) == ("ETH", "", "seed 5")


def test_delivery_tells_the_digest_of_its_model(tmp_path: Path) -> None:
    settings = {"market": {"symbol": "BTC"}, "model_digest": "abc", "provenance": {"frames": 6400, "seed": 777}}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    found = read_trained_model(tmp_path)
    assert found is not None
    assert (found.symbol, found.digest, found.training) == ("BTC", "abc", "6,400 frames, seed 777")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"market": null}', '{"market": {"symbol": "BTC"}}', "[" * 9000])
def test_what_cannot_be_read_tells_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    assert read_trained_model(tmp_path) is None
    assert read_trained_model(tmp_path / "nowhere") is None


def test_baseline_was_not_trained(tmp_path: Path) -> None:
    write_buy_first(tmp_path / "model")
    assert read_trained_model(tmp_path / "model") is None
