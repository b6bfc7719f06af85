"""An adapter finds the encoder that it was trained on, whichever one the settings name now."""

import shutil
from pathlib import Path

import pytest

from MLOps.errors import ModelError
from MLOps.sentiment import find_base_model as module
from MLOps.sentiment.base_model import base_digest, check_base, load_base_model
from MLOps.sentiment.find_base_model import find_base_model
from MLOps.sentiment.model_card import BaseModelRecord
from MLOps.settings.sentiment_model import FolderBaseModel


def settings_of(name: str, folder: Path) -> FolderBaseModel:
    return FolderBaseModel(kind="folder", name=name, folder=folder, note="", warnings=())


def record_of(name: str, folder: Path) -> BaseModelRecord:
    return BaseModelRecord(name=name, sha256=base_digest(folder), origin="", warnings=())


@pytest.fixture
def other(tiny_base_model: Path, tmp_path: Path) -> Path:
    """Another encoder, by its digest."""
    folder = shutil.copytree(tiny_base_model, tmp_path / "other")
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    return folder


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """config/sentiment_models of a project of its own, which holds what is no settings too."""
    folder = tmp_path / "config" / "sentiment_models"
    folder.mkdir(parents=True)
    for name, text in [("a", "kind: pickle"), ("b", "- 1"), ("c", "x: ["), ("d", "")]:
        (folder / f"{name}.yaml").write_text(text)
    monkeypatch.setattr(module, "project_root", lambda: tmp_path)
    return folder


def test_encoder_that_the_settings_no_longer_name(
    tiny_base_model: Path, other: Path, shipped: Path, tmp_path: Path
) -> None:
    wanted = record_of("former", tiny_base_model)
    named = [settings_of("present", other)]
    (shipped / "unlike.yaml").write_text(f"kind: folder\nname: unlike\nfolder: {tmp_path / 'nowhere'}\n")
    assert find_base_model(wanted, named, tmp_path).folder == other
    with pytest.raises(ModelError, match="trained on another base model"):
        check_base(other, wanted)
    (shipped / "former.yaml").write_text(
        f"kind: folder\nname: former\nfolder: {tiny_base_model}\nnote: ''\nwarnings: []\n"
    )
    assert find_base_model(wanted, named, tmp_path).folder == tiny_base_model


@pytest.mark.usefixtures("shipped")
def test_encoder_that_the_settings_name_otherwise(tiny_base_model: Path, other: Path, tmp_path: Path) -> None:
    named = [settings_of("mine", other), settings_of("renamed", tiny_base_model)]
    found = find_base_model(record_of("former", tiny_base_model), named, tmp_path)
    assert found == load_base_model(named[1], tmp_path)


def test_encoder_of_the_same_name_and_other_bytes_is_not_taken(
    tiny_base_model: Path, other: Path, shipped: Path, tmp_path: Path
) -> None:
    (shipped / "former.yaml").write_text(f"kind: folder\nname: former\nfolder: {other}\nnote: ''\nwarnings: []\n")
    named = [settings_of("present", tiny_base_model)]
    assert find_base_model(record_of("former", tiny_base_model), named, tmp_path).folder == tiny_base_model
