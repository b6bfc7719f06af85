"""A tracker in front of another one that remembers the last figure of each curve."""

from collections.abc import Mapping
from pathlib import Path

from MLOps.stage import Scalar, Tracker


class LastFigures:
    """Passes everything on to `tracker`, and keeps the newest figure of each name in `figures`."""

    def __init__(self, tracker: Tracker, figures: dict[str, float]) -> None:
        self._tracker, self._figures = tracker, figures

    @property
    def run_id(self) -> str:
        return self._tracker.run_id

    @run_id.setter
    def run_id(self, run_id: str) -> None:
        self._tracker.run_id = run_id

    def begin(self, key: str, inputs: Mapping[str, str], is_made: bool = False) -> None:
        self._tracker.begin(key, inputs, is_made)

    def params(self, values: Mapping[str, Scalar]) -> None:
        self._tracker.params(values)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        self._figures.update(values)
        self._tracker.metrics(values, step)

    def artifact(self, path: Path, folder: str = "") -> None:
        self._tracker.artifact(path, folder)

    def tags(self, values: Mapping[str, str]) -> None:
        self._tracker.tags(values)
