"""The agents of an unfinished ablation, so that a killed one goes on where it was."""

import shutil
from pathlib import Path

from pydantic import ValidationError

from MLOps.artifacts import write_text
from MLOps.evaluation.sentiment_ablation import AgentRun


class AgentRunStore:
    """Keeps what each agent did, one file an agent.

    Parameters
    ----------
    folder : Path
        Named by the key of the output, so that settings, data and library versions are the same by construction.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, seed: int, sees_news: bool) -> AgentRun | None:
        """What that agent did; None if it has not run, or its file cannot be read."""
        try:
            return AgentRun.model_validate_json(self._path(seed, sees_news).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def save(self, run: AgentRun) -> None:
        """Keep `run`, whole or not at all."""
        write_text(self._path(run.seed, run.sees_news), run.model_dump_json())

    def remove(self) -> None:
        """Forget all of them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, seed: int, sees_news: bool) -> Path:
        return self._folder / f"seed-{seed}-{'with' if sees_news else 'without'}-news.json"
