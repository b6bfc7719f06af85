"""A model that is not there: what lies beside it is named, as far as one may look."""

import errno
import os
from pathlib import Path

import pytest

from deployment.command_line.named_files import model_folder
from MLOps.errors import DataError, SettingsError
from MLOps.inference.timing_model import write_buy_first


def test_models_beside_the_one_that_is_not_there_are_named(tmp_path: Path) -> None:
    write_buy_first(tmp_path / "first")
    with pytest.raises(DataError, match=r"does not exist; allowed: a model folder; there is .*first"):
        model_folder(tmp_path / "frist", takes_delivery=False)


def test_a_folder_of_somebody_else_beside_it_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_buy_first(tmp_path / "first")
    (tmp_path / "private").mkdir()
    is_file = Path.is_file

    def refusing(path: Path) -> bool:
        if path.parent.name == "private":
            raise PermissionError(path)
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refusing)
    with pytest.raises(DataError, match=r"there is .*first"):
        model_folder(tmp_path / "frist", takes_delivery=True)


def test_a_folder_of_somebody_elses_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not as one that cannot be written, which nobody wants to."""
    write_buy_first(tmp_path / "private")
    stat = Path.stat

    def refusing(path: Path, **how: bool) -> os.stat_result:
        if path.parent.name == "private":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", refusing)
    with pytest.raises(SettingsError, match=r"--model_path .*private/model\.json: Permission denied; .* --model_path$"):
        model_folder(tmp_path / "private", takes_delivery=True)
