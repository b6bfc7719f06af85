"""One training of an ablation: a variant with a seed, all else as it is for the others."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from MLOps.evaluation.rainbow_ablation import VariantRun
from MLOps.market.price_cycles import Cycles
from MLOps.settings.rainbow import RainbowTrainingSettings
from MLOps.settings.rainbow_ablation import AblateRainbowSettings, Variant
from MLOps.stage import MemoryTracker
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.return_range import with_support
from MLOps.training.train_timing_agent import train_timing_agent


class TimedRun(BaseModel):
    """How a training went, and what it cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: VariantRun = Field(description="How it went; the same again from the same settings.")
    cpu_seconds: float = Field(ge=0, description="Processor time; what an interrupted try lost is left out.")


class _TimedCheckpoints(CheckpointStore):
    """Checkpoints that also tell how much processor time lies behind them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._behind, self._began = 0.0, time.process_time()

    @property
    def cpu_seconds(self) -> float:
        """Processor time up to now, that before the checkpoint which was loaded among it."""
        return self._behind + time.process_time() - self._began

    def save(self, state: dict[str, Any]) -> None:
        super().save(state | {"cpu_seconds": self.cpu_seconds})

    def load(self) -> dict[str, Any] | None:
        state = super().load()
        if state is not None:
            self._behind, self._began = state["cpu_seconds"], time.process_time()
        return state


def train_variant(
    variant: Variant, seed: int, windows: Mapping[str, Cycles], settings: AblateRainbowSettings, folder: Path
) -> TimedRun:
    """Train one agent; if its checkpoint lies in `folder`, from there on.

    Parameters
    ----------
    variant : Variant
    seed : int
    windows : mapping of str to Cycles
        ``train`` and ``validation``.
    settings : AblateRainbowSettings
    folder : Path
        Of this training's checkpoints alone.

    Raises
    ------
    DivergenceError
        If a gradient is not finite.
    """
    model = with_support(settings.model_of(variant), windows["train"], settings.environment)
    checkpoints = _TimedCheckpoints(folder)
    training, tracker = _training_of(seed, settings), MemoryTracker()
    run, curve = train_timing_agent(
        windows, model, settings.environment, training, tracker, checkpoints, show_bar=settings.show_progress
    )
    looks = [(int(point["frames"]), point["validation_score"]) for point in curve]
    frames, advantages = zip(*looks, strict=True)
    told = VariantRun(
        variant=variant,
        seed=seed,
        frames=frames,
        advantages_bps=advantages,
        mean_score_10=curve[-1]["mean_score_10"],
    )
    assert told.best_bps == run.best_score, "each look is a point of the curve"
    return TimedRun(run=told, cpu_seconds=checkpoints.cpu_seconds)


def _training_of(seed: int, settings: AblateRainbowSettings) -> RainbowTrainingSettings:
    """The training with its seed, and with a point of its curves at each look at the validation cycles."""
    every = settings.training.evaluate_every_frames
    return settings.training.model_copy(update={"seed": seed, "report_every_frames": every})
