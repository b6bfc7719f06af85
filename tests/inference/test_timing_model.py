"""A buy-timing model's folder is checked before it is believed, and equal content gives equal bytes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from MLOps.errors import DigestError, ModelError
from MLOps.inference.model_files import model_digest
from MLOps.inference.timing_model import (
    BuyFirstCard,
    RainbowTimingCard,
    read_timing_card,
    read_timing_weights,
    write_buy_first,
    write_timing_model,
)
from MLOps.inference.timing_policy import load_timing_policy

MakeModel = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, make_timing_model: MakeModel) -> Path:
    make_timing_model(tmp_path / "model")
    return tmp_path / "model"


def _card(folder: Path) -> RainbowTimingCard:
    card = read_timing_card(folder)
    assert isinstance(card, RainbowTimingCard)
    return card


def test_what_is_written_is_read_again(folder: Path, tmp_path: Path) -> None:
    card = _card(folder)
    weights = read_timing_weights(folder, card)
    twin = write_timing_model(tmp_path / "twin", card, dict(reversed(weights.items())))
    assert twin == model_digest(folder)
    assert _card(tmp_path / "twin") == card
    assert list(weights) == list(card.tensor_shapes())


def test_other_weights_give_another_digest(folder: Path, tmp_path: Path, make_timing_model: MakeModel) -> None:
    assert make_timing_model(tmp_path / "other", seed=2) != model_digest(folder)


def test_the_baseline_is_always_the_same_and_has_no_weights(tmp_path: Path) -> None:
    digests = {write_buy_first(tmp_path / name) for name in "ab"}
    assert len(digests) == 1
    assert read_timing_card(tmp_path / "a") == BuyFirstCard()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["model.json"]


def test_shapes_follow_the_architecture(folder: Path) -> None:
    shapes = _card(folder).tensor_shapes()
    assert shapes["trunk.0.weight"] == (24, 32)
    assert shapes["trunk.1.weight"] == (16, 24)
    assert shapes["value.hidden.weight"] == shapes["advantage.hidden.weight"] == (12, 16)
    assert shapes["value.out.weight"] == (21, 12)
    assert shapes["advantage.out.weight"] == (42, 12)
    assert shapes["advantage.out.bias"] == (42,)
    assert len(shapes) == 12


def test_without_dueling_there_is_no_value_stream(tmp_path: Path, make_timing_model: MakeModel) -> None:
    make_timing_model(tmp_path, is_dueling=False)
    assert {name.partition(".")[0] for name in _card(tmp_path).tensor_shapes()} == {"trunk", "advantage"}


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("kind",), "rainbow", "allowed: kinds rainbow_timing and buy_first"),
        (("format",), 2, "format"),
        (("observation", "size"), 31, "size=31, but window_size=30 makes 32"),
        (("architecture", "atoms"), 1, "no distribution"),
        (("architecture", "v_max"), -5.0, "no distribution"),
        (("architecture", "is_categorical"), False, "without is_categorical there is 1"),
        (("architecture", "hidden_sizes"), [], "hidden_sizes"),
        (("architecture", "extra"), 1, "extra"),
        (("market", "symbol"), "../BTC", "symbol"),
        (("windows", "train", "first"), "2019-01-01T01:00:00", "windows"),
    ],
)
def test_a_malformed_card_is_refused_with_its_place(
    folder: Path, place: tuple[str, ...], value: object, told: str
) -> None:
    card = json.loads((folder / "model.json").read_text())
    section = card
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = value
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"model\.json") as error:
        read_timing_card(folder)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["none", "model.json"])
def test_a_folder_without_a_card_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        read_timing_card(folder / name)


def test_a_bounded_return_must_be_finite(folder: Path) -> None:
    values = _card(folder).model_dump()
    values["architecture"]["v_max"] = float("inf")
    with pytest.raises(ValidationError, match="finite"):
        RainbowTimingCard.model_validate(values)


def test_weights_that_do_not_fit_the_card_are_not_written(folder: Path, tmp_path: Path) -> None:
    card = _card(folder)
    weights = read_timing_weights(folder, card)
    faults = {
        "lack the tensor trunk.0.bias": {name: weights[name] for name in weights if name != "trunk.0.bias"},
        "hold the tensor trunk.0.noise": weights | {"trunk.0.noise": weights["trunk.0.bias"]},
        r"trunk\.0\.bias is float64 \(24,\)": weights | {"trunk.0.bias": np.zeros(24)},
        r"trunk\.0\.bias is float32 \(23,\)": weights | {"trunk.0.bias": np.zeros(23, np.float32)},
        "trunk.0.bias holds NaN": weights | {"trunk.0.bias": np.full(24, np.nan, np.float32)},
    }
    for told, faulty in faults.items():
        with pytest.raises(ModelError, match=told):
            write_timing_model(tmp_path / "new", card, faulty)
    with pytest.raises(ModelError, match="lack the tensor"):
        write_timing_model(tmp_path / "new", card)
    with pytest.raises(ModelError, match="it has no network"):
        write_timing_model(tmp_path / "new", BuyFirstCard(), weights)
    assert not (tmp_path / "new").exists()


def test_a_broken_weights_file_is_refused(folder: Path) -> None:
    path = folder / "policy.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match=r"policy\.safetensors cannot be read"):
        read_timing_weights(folder, _card(folder))
    path.unlink()
    with pytest.raises(ModelError, match=r"policy\.safetensors cannot be read"):
        load_timing_policy(folder)


def test_altered_weights_are_refused_by_their_digest_before_they_are_read(folder: Path) -> None:
    digest = model_digest(folder)
    assert load_timing_policy(folder, digest).kind == "rainbow_timing"
    (folder / "policy.safetensors").write_bytes(b"no tensors at all")
    with pytest.raises(DigestError):
        load_timing_policy(folder, digest)
