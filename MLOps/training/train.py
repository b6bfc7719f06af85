"""Trains an agent to the end of its budget, or on from where an interrupted run left it."""

import logging
import math
from collections.abc import Mapping

from MLOps.agents.agent import Agent
from MLOps.errors import DivergenceError, ModelError
from MLOps.stage import Tracker
from MLOps.training import random_state
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.progress import Progress

_LOG = logging.getLogger(__name__)


class _Watch:
    """Takes an agent's reports: figures to the tracker, steps to the progress, its state to the checkpoint."""

    def __init__(self, agent: Agent, tracker: Tracker, progress: Progress, store: CheckpointStore, every: int) -> None:
        self._agent, self._tracker, self._progress = agent, tracker, progress
        self._store, self._every = store, every
        self._last_checkpoint = 0
        self.timesteps = 0

    def resume(self) -> bool:
        """Put agent and generators where the checkpoint left them; False if there is none."""
        state = self._store.load()
        if state is None:
            return False
        self._agent.restore(state["agent"])
        random_state.restore(state["random"])
        self._last_checkpoint = state["timesteps"]
        self._progress.start_at(self._last_checkpoint)
        _LOG.info("training continues from the checkpoint at timestep %d", self._last_checkpoint)
        return True

    def stepped(self, timesteps: int) -> None:
        self.timesteps = timesteps
        self._progress.reach(timesteps)

    def paused(self, timesteps: int) -> None:
        if timesteps - self._last_checkpoint < self._every or not self._agent.is_finite():
            return
        self._last_checkpoint = timesteps
        state = {"timesteps": timesteps, "agent": self._agent.state(), "random": random_state.capture()}
        self._store.save(state)

    def reported(self, timesteps: int, figures: Mapping[str, float]) -> None:
        if not self._agent.is_finite():
            raise _diverged(timesteps)
        # explained variance is NaN by definition while the returns do not vary
        finite = {name: value for name, value in figures.items() if math.isfinite(value)}
        self._tracker.metrics(finite, step=timesteps)
        self._progress.show(finite)


def train(
    agent: Agent,
    total_timesteps: int,
    tracker: Tracker,
    progress: Progress,
    store: CheckpointStore,
    checkpoint_every_timesteps: int,
    *,
    resume: bool,
) -> int:
    """Train until `total_timesteps`; gives the timesteps played, rounded up to a whole update.

    Call it inside `random_state.isolated`. Interrupted and called again with the same store, it ends with the
    same weights as an undisturbed run.

    Parameters
    ----------
    agent : Agent
        Fresh; with `resume`, put where the checkpoint left it.
    total_timesteps : int
        Budget.
    tracker : Tracker
        Gets reward, episode length, losses and explained variance by timestep.
    progress : Progress
        Gets the count.
    store : CheckpointStore
        Written at the first pause after each `checkpoint_every_timesteps`.
    resume : bool
        Continue from the store's checkpoint, if it holds one.

    Raises
    ------
    DivergenceError
        If training diverges: a weight becomes NaN or infinite.
    """
    watch = _Watch(agent, tracker, progress, store, checkpoint_every_timesteps)
    if not (resume and watch.resume()):
        _LOG.info("training starts from zero: %d timesteps", total_timesteps)
    try:
        played = agent.learn(total_timesteps, watch)
    except (
        ValueError,
        ModelError,
    ) as error:  # torch's distributions and the environment refuse a diverged network's NaN
        if agent.is_finite():
            raise
        raise _diverged(watch.timesteps) from error
    finally:
        progress.close()
    if not agent.is_finite():
        raise _diverged(played)
    return played


def _diverged(timesteps: int) -> DivergenceError:
    return DivergenceError(
        f"training diverged by timestep {timesteps}: a weight is NaN or infinite",
        "finite weights",
        "a lower learning_rate under hyperparameters/, or a smaller environment.reward_scaling",
    )
