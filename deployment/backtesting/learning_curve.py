"""How a training went, as its stage wrote it down beside the model."""

import json
import math
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from MLOps.errors import DataError

FILE = "learning_curve.json"


class LearningCurve(BaseModel):
    """Points of a training's curves; a value that was not known yet is null."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    frames: tuple[int, ...] = Field(min_length=1, description="Decisions played.")
    mean_score_10: tuple[float | None, ...] = Field(description="Mean reward of the last ten episodes.")
    loss: tuple[float | None, ...] = Field(description="Loss of the last gradient steps.")

    @model_validator(mode="after")
    def _is_even(self) -> "LearningCurve":
        if {len(self.mean_score_10), len(self.loss)} != {len(self.frames)}:
            raise ValueError(f"{len(self.frames)} frames, {len(self.mean_score_10)} scores and {len(self.loss)} losses")
        return self


def read_learning_curve(folder: Path, named: Path | None = None) -> LearningCurve | None:
    """The curve that is named, else the one beside the model; None where there is none beside it.

    Raises
    ------
    DataError
        If the file that is named is missing, or the file is no curve.
    """
    path = named or folder / FILE
    if named is None and not path.is_file():
        return None
    try:
        values = json.loads(path.read_bytes())
        return LearningCurve.model_validate({name: _known(points) for name, points in values.items()})
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: {reason}", "a learning curve", "learning_curve_path") from error


def _known(points: object) -> object:
    """The points with None in the place of what is not finite, as JSON of Python may hold it."""
    if not isinstance(points, list):
        return points
    return [None if isinstance(point, float) and not math.isfinite(point) else point for point in points]
