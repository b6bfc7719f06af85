"""What the reward of a training usually is, and how far it strays: by comparable ones in this workspace, each once."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from MLOps.artifacts import write_text

_LEAST = 3  # rewards of which a spread is told
_TO_DEVIATION = 1.4826  # of a median absolute deviation, where values are normally distributed


@dataclass(frozen=True)
class UsualReward:
    """The reward of comparable trainings.

    Attributes
    ----------
    median : float
        NaN where there is none.
    spread : float
        Standard deviation, as the median absolute deviation tells it; NaN of fewer than three, and where it is 0,
        which says that they were alike and nothing of how far another strays.
    """

    median: float
    spread: float


def was_told(path: Path, key: str) -> bool:
    """Whether the training that `key` stands for is among those that `path` keeps."""
    return key in _read(path)


def usual_reward(path: Path, key: str, reward: float, history_runs: int) -> UsualReward:
    """The reward of the other trainings. This one counts from the next one on.

    There is no lock: of trainings that end in the same moment one is lost, which a median hardly feels.

    Parameters
    ----------
    path : Path
        JSON object of rewards by what the training has learned, the one that was told last at the end; a broken
        one is begun anew.
    key : str
        Of what the training that is told now has learned; told again, it takes the place of its first telling.
    reward : float
    history_runs : int
        Trainings that are kept.

    Raises
    ------
    OSError
        If the file can neither be read nor written.
    """
    others = {name: value for name, value in _read(path).items() if name != key}
    kept = [*others.items(), (key, reward)][-history_runs:]
    write_text(path, json.dumps(dict(kept), indent=1) + "\n")
    return _usual(list(others.values()))


def _usual(rewards: Sequence[float]) -> UsualReward:
    if not rewards:
        return UsualReward(math.nan, math.nan)
    middle = median(rewards)
    spread = _TO_DEVIATION * median(abs(reward - middle) for reward in rewards)
    return UsualReward(middle, spread if len(rewards) >= _LEAST and spread > 0 else math.nan)


def _read(path: Path) -> Mapping[str, float]:
    try:
        return {str(key): float(reward) for key, reward in json.loads(path.read_text(encoding="utf-8")).items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}
