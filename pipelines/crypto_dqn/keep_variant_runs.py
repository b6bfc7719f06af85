"""The trainings of an unfinished ablation, so that an interrupted one goes on where it was."""

import shutil
from pathlib import Path

from pydantic import ValidationError

from MLOps.artifacts import write_text
from MLOps.settings.rainbow_ablation import Variant
from MLOps.training.rainbow_ablation import TimedRun


class VariantRunStore:
    """Keeps how each finished training went, one file a training, and the checkpoints of one that is under way.

    Parameters
    ----------
    folder : Path
        Named by the key of the output, so that settings, data and library versions are the same by construction.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, variant: Variant, seed: int) -> TimedRun | None:
        """How that training went; None if it has not ended, or its file cannot be read."""
        try:
            return TimedRun.model_validate_json(self._file(variant, seed).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def save(self, done: TimedRun) -> None:
        """Keep a finished training, whole or not at all, and forget its checkpoints."""
        write_text(self._file(done.run.variant, done.run.seed), done.model_dump_json())
        shutil.rmtree(self.checkpoints(done.run.variant, done.run.seed), ignore_errors=True)

    def checkpoints(self, variant: Variant, seed: int) -> Path:
        """Folder of that training's checkpoints."""
        return self._folder / f"{variant}-{seed}"

    def remove(self) -> None:
        """Forget all of them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, variant: Variant, seed: int) -> Path:
        return self._folder / f"{variant}-{seed}.json"
