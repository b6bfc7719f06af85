"""What an unfinished comparison has finished so far, so that a killed one goes on where it was."""

import shutil
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from MLOps.artifacts import write_text

ResultT = TypeVar("ResultT", bound=BaseModel)


class KeptResults(Generic[ResultT]):
    """Keeps a result of one kind a part, each in a file, and the checkpoints of the part that is under way.

    Parameters
    ----------
    folder : Path
        Named by the key of the output, so that settings, data and library versions are the same by construction.
    kind : type
        Of each result.
    """

    def __init__(self, folder: Path, kind: type[ResultT]) -> None:
        self._folder, self._kind = folder, kind

    def load(self, part: str) -> ResultT | None:
        """The result of that part; None if it has not ended, or its file cannot be read."""
        try:
            return self._kind.model_validate_json(self._file(part).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def save(self, part: str, result: ResultT) -> None:
        """Keep a result, whole or not at all, and forget the checkpoints of its part."""
        write_text(self._file(part), result.model_dump_json())
        shutil.rmtree(self.checkpoints(part), ignore_errors=True)

    def checkpoints(self, part: str) -> Path:
        """Folder of that part's checkpoints."""
        return self._folder / part

    def remove(self) -> None:
        """Forget all of it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, part: str) -> Path:
        return self._folder / f"{part}.json"
