"""Which trainings may be compared with one another: those of one kind of agent, on one market, with one budget.

A quick training earns less than a long one, and an agent that buys Ether another reward than one that buys Bitcoin;
neither tells that anything went wrong. Hyperparameters, seed and dates are not asked for: a change of those that ruins
the reward is what a comparison is there to find. Stocks that are traded because the data hold them (no
`environment.tickers`) are one market, whichever they are.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from MLOps.settings.stage_settings import StageSettings, identity_of

_ALIKE: Mapping[str, tuple[str, ...]] = {
    "train_rl_agent": (
        "agent.library",
        "agent.algorithm",
        "environment",
        "training.total_timesteps",
        "training.total_episodes",
    ),
    "train_rainbow": (
        "data.symbol",
        "data.frequency",
        "data.window_size",
        "data.cycle_steps",
        "environment",
        "training.num_frames",
        "training.frames_per_update",
    ),
    "train_sentiment_model": ("base_model", "hyperparameters.epochs", "hyperparameters.batch_size"),
}
"""By stage: the settings, by their dotted names, that two trainings share if they may be compared."""
TRAININGS = frozenset(_ALIKE)
"""Stages that train."""


def comparable_name(settings: StageSettings, stage: str) -> str:
    """``<model>-<digest>``, the same for trainings of `stage` that may be compared, of other names for others."""
    values = identity_of(settings)
    alike = {name: _value(values, name) for name in _ALIKE[stage]}
    digest = hashlib.sha256(json.dumps([stage, alike], sort_keys=True).encode()).hexdigest()
    return f"{settings.registry.model_name}-{digest[:12]}"


def _value(values: Mapping[str, Any], dotted: str) -> object:
    """A setting; None where the stage has none of that name."""
    found: Any = values
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
