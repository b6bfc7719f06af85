"""Our training: the batched environment under RainbowRun, as train_rainbow runs it."""

import rainbow_task
from update_clock import Spent, UpdateClock

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.dca_timing import DcaTimingBatch
from MLOps.environments.dca_timing_kernel import ACTIONS
from MLOps.training.rainbow_run import RainbowRun

SHIPPED_ENVS = rainbow_task.training().n_envs
_WARM_UP = 512


class OurTraining:
    """A training of `n_envs` episodes at once that is past its first updates."""

    def __init__(self, n_envs: int) -> None:
        training = rainbow_task.training(n_envs=n_envs)
        agent = RainbowAgent(rainbow_task.SIZE, ACTIONS, rainbow_task.model(), training)
        batch = DcaTimingBatch(rainbow_task.cycles(), rainbow_task.environment(), n_envs, training.seed)
        self._clock = UpdateClock()
        agent.learn = self._clock.around(agent.learn)  # type: ignore[method-assign]
        self._run = RainbowRun(agent, batch, training, lambda _: 0.0)
        self._play(training.learning_starts + _WARM_UP)

    def spend(self, frames: int) -> Spent:
        """Play on for so many frames."""
        return self._clock.spent(lambda: self._play(frames))

    def _play(self, frames: int) -> tuple[int, int]:
        run = self._run
        first, first_episodes = run.frames, run.episodes_played
        while run.frames < first + frames:
            run.play_round()
        return run.frames - first, run.episodes_played - first_episodes
