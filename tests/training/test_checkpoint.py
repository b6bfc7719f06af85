"""A checkpoint comes back as it was, or not at all."""

from pathlib import Path
from typing import BinaryIO

import pytest
import torch

from MLOps.training import checkpoint
from MLOps.training.checkpoint import CheckpointStore

STATE = {"timesteps": 3, "big": 2**100, "nested": {"weights": torch.arange(4.0), "pair": (1, None)}}


def test_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "key")
    store.save({"timesteps": 1})
    store.save(STATE)
    state = store.load()
    assert state is not None
    assert torch.equal(state["nested"].pop("weights"), torch.arange(4.0))
    assert state == {"timesteps": 3, "big": 2**100, "nested": {"pair": (1, None)}}
    assert [file.name for file in (tmp_path / "key").iterdir()] == ["checkpoint.pt"]


def test_nothing_there_is_none_and_removal_is_final(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "key")
    assert store.load() is None
    store.save(STATE)
    store.remove()
    store.remove()
    assert store.load() is None


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path(tmp_path / "owned").write_text, ("gotcha",))

    (tmp_path / "key").mkdir()
    torch.save({"evil": Evil()}, tmp_path / "key" / "checkpoint.pt")
    assert CheckpointStore(tmp_path / "key").load() is None
    assert not (tmp_path / "owned").exists()
    assert "starts from zero" in caplog.text


def test_an_interrupted_write_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CheckpointStore(tmp_path / "key")
    store.save({"timesteps": 1})

    def half_written(_content: object, stream: BinaryIO) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", half_written)
    with pytest.raises(KeyboardInterrupt):
        store.save({"timesteps": 2})
    assert store.load() == {"timesteps": 1}
    assert [file.name for file in (tmp_path / "key").iterdir()] == ["checkpoint.pt"]
