"""Data goes and comes back through DVC, in a folder that is no Git checkout."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

from MLOps.artifacts import sha256_of
from MLOps.errors import DataError, SourceUnavailableError
from MLOps.settings.versioning import VersioningSettings
from MLOps.vendors.dvc import restore_data, restore_if_kept, version_data

_SETTINGS = VersioningSettings(enabled=True, remote=".dvc/remote", s3_endpoint_url=None, pointer_folder="data_versions")


@pytest.fixture
def snapshot(workspace: Path) -> Path:
    folder = workspace / "data" / "raw" / "2020-01-02-abc"
    (folder / "bars").mkdir(parents=True)
    (folder / "bars" / "2020.parquet").write_bytes(b"prices")
    (folder / "result.json").write_text("{}")
    return folder


@pytest.mark.parametrize("name", ["md5", "md5 without .dir", "pointer", "folder"])
def test_deleted_data_comes_back(workspace: Path, snapshot: Path, name: str) -> None:
    version = version_data(snapshot, workspace, _SETTINGS)
    assert version is not None
    names = {
        "md5": version.md5,
        "md5 without .dir": version.md5.removesuffix(".dir"),
        "pointer": str(version.pointer.relative_to(workspace)),
        "folder": snapshot.name,
    }
    digest = sha256_of(snapshot)
    shutil.rmtree(workspace / "data")
    shutil.rmtree(workspace / ".dvc" / "cache")  # only the remote is left
    assert restore_data(names[name], workspace, _SETTINGS) == snapshot
    assert sha256_of(snapshot) == digest


def test_versioning_leaves_the_files_alone(workspace: Path, snapshot: Path) -> None:
    shared = workspace / "shared.parquet"
    os.link(snapshot / "bars" / "2020.parquet", shared)
    version_data(snapshot, workspace, _SETTINGS)
    assert shared.samefile(snapshot / "bars" / "2020.parquet")


def test_doing_it_again_gives_the_same_version_and_new_data_another(workspace: Path, snapshot: Path) -> None:
    first = version_data(snapshot, workspace, _SETTINGS)
    assert version_data(snapshot, workspace, _SETTINGS) == first
    (snapshot / "result.json").write_text('{"changed": true}')
    assert version_data(snapshot, workspace, _SETTINGS) != first


def test_a_version_is_never_lost_to_another_one_of_the_same_folder(workspace: Path, snapshot: Path) -> None:
    first = version_data(snapshot, workspace, _SETTINGS)
    digest = sha256_of(snapshot)
    (snapshot / "result.json").write_text('{"restated": true}')
    second = version_data(snapshot, workspace, _SETTINGS)
    assert first is not None
    assert second is not None
    assert second == version_data(snapshot, workspace, _SETTINGS)
    assert first.pointer != second.pointer
    restated = sha256_of(snapshot)
    for version, kept in ((first, digest), (second, restated), (first, digest)):
        shutil.rmtree(snapshot)
        restore_data(version.md5, workspace, _SETTINGS)
        assert sha256_of(snapshot) == kept


def test_what_is_kept_comes_back_by_its_place(workspace: Path, snapshot: Path) -> None:
    assert not restore_if_kept(snapshot, workspace, _SETTINGS)
    version_data(snapshot, workspace, _SETTINGS)
    digest = sha256_of(snapshot)
    shutil.rmtree(workspace / "data")
    assert not restore_if_kept(snapshot, workspace, _SETTINGS.model_copy(update={"enabled": False}))
    assert restore_if_kept(snapshot, workspace, _SETTINGS)
    assert sha256_of(snapshot) == digest


def test_altered_data_is_replaced_by_what_was_kept(workspace: Path, snapshot: Path) -> None:
    version = version_data(snapshot, workspace, _SETTINGS)
    assert version is not None
    digest = sha256_of(snapshot)
    (snapshot / "bars" / "2020.parquet").write_bytes(b"altered")
    restore_data(version.md5, workspace, _SETTINGS)
    assert sha256_of(snapshot) == digest


def test_a_single_file_can_be_versioned(workspace: Path) -> None:
    file = workspace / "data" / "processed" / "features.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"features")
    version = version_data(file, workspace, _SETTINGS)
    assert version is not None
    file.unlink()
    assert restore_data(version.md5, workspace, _SETTINGS).read_bytes() == b"features"


def test_pointers_lie_outside_the_data(workspace: Path, snapshot: Path) -> None:
    version = version_data(snapshot, workspace, _SETTINGS)
    assert version is not None
    assert version.pointer == workspace / "data_versions" / "raw" / "2020-01-02-abc.dvc"
    assert yaml.safe_load(version.pointer.read_text())["wdir"] == "../../data/raw"
    assert version.details()["dvc_md5"] == version.md5


def test_switched_off_it_does_nothing(workspace: Path, snapshot: Path) -> None:
    assert version_data(snapshot, workspace, _SETTINGS.model_copy(update={"enabled": False})) is None
    assert not (workspace / ".dvc").exists()


def test_an_unknown_version_is_told(workspace: Path, snapshot: Path) -> None:
    version_data(snapshot, workspace, _SETTINGS)
    with pytest.raises(DataError, match="no pointer for ffff"):
        restore_data("ffff", workspace, _SETTINGS)


def test_data_that_is_nowhere_is_told(workspace: Path, snapshot: Path) -> None:
    version = version_data(snapshot, workspace, _SETTINGS)
    assert version is not None
    for folder in ("data", ".dvc/cache", ".dvc/remote"):
        shutil.rmtree(workspace / folder)
    with pytest.raises(SourceUnavailableError, match=r"DVC remote \.dvc/remote"):
        restore_data(version.md5, workspace, _SETTINGS)


def test_an_s3_remote_that_does_not_answer_is_told(
    workspace: Path, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "unused")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    settings = _SETTINGS.model_copy(update={"remote": "s3://bucket/data", "s3_endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(SourceUnavailableError, match="DVC remote s3://bucket/data"):
        version_data(snapshot, workspace, settings)
    assert "url = s3://bucket/data\n    endpointurl = http://127.0.0.1:9" in (workspace / ".dvc/config").read_text()
