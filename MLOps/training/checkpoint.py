"""Checkpoints: the state of an unfinished training, written whole, read without running code."""

import logging
import shutil
from pathlib import Path
from typing import Any

import torch

from MLOps.artifacts import written_whole

_LOG = logging.getLogger(__name__)
_FILE = "checkpoint.pt"


class CheckpointStore:
    """Keeps the newest checkpoint of one training.

    Parameters
    ----------
    folder : Path
        Named by the key of the output, so that settings, data, seed and library versions are the same
        by construction.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint by `state` (tensors and plain values), whole or not at all."""
        with written_whole(self._folder / _FILE) as temporary, temporary.open("wb") as stream:
            torch.save(state, stream)

    def load(self) -> dict[str, Any] | None:
        """The last state; None if there is none that can be read."""
        path = self._folder / _FILE
        if not path.exists():
            return None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # noqa: BLE001 - torch raises many kinds; any of them means: start from zero
            _LOG.warning("%s cannot be read (%s); training starts from zero", path, type(error).__name__)
            return None
        assert isinstance(state, dict)
        return state

    def remove(self) -> None:
        """Forget the checkpoint, if there is one."""
        shutil.rmtree(self._folder, ignore_errors=True)
