"""One training of the Rainbow agent as rounds: a decision in each episode, then the gradient steps that are due.

Who calls the rounds, the plain loop or Lightning's, changes no number: all that is drawn comes from generators that the
run holds.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.discrete_batch import DiscreteBatch
from MLOps.settings.rainbow import RainbowTrainingSettings

_RECENT_EPISODES, _LAST_EPISODES = 1_000, 10
Evaluation = Callable[[RainbowAgent], float]


class RainbowRun:
    """The state of a training between two rounds.

    Parameters
    ----------
    agent : RainbowAgent
    episodes : DiscreteBatch
        What it plays; as many as the agent was made for.
    training : RainbowTrainingSettings
        Budget and rhythm.
    evaluate : callable
        Score of the agent as it stands, acting greedily on the validation window; the greater the better.

    Attributes
    ----------
    frames : int
        Decisions played.
    best_score : float
        Greatest score of an evaluation; minus infinity before the first.
    """

    def __init__(
        self, agent: RainbowAgent, episodes: DiscreteBatch, training: RainbowTrainingSettings, evaluate: Evaluation
    ) -> None:
        self.agent, self._episodes, self._training, self._evaluate = agent, episodes, training, evaluate
        self.frames, self.episodes_played = 0, 0
        self.best_score, self._best = -np.inf, agent.learner.online.parameters.clone()
        self._looks_since_best = 0
        self._recent: deque[float] = deque(maxlen=_RECENT_EPISODES)
        self._figures: dict[str, float] = {}
        self._observations = episodes.reset()

    @property
    def is_done(self) -> bool:
        """Whether the budget is spent, or nothing has become better for too long."""
        return self.frames >= self._training.num_frames or self.stopped_early

    @property
    def stopped_early(self) -> bool:
        """Whether the validation score has not become better in as many looks as the settings allow."""
        return self._looks_since_best >= self._training.patience_evaluations

    @property
    def _progress(self) -> float:
        return min(self.frames / self._training.num_frames, 1.0)

    def play_round(self) -> None:
        """Play a decision in each episode, learn as often as is due, and look at the validation window now and then.

        Raises
        ------
        DivergenceError
            If a gradient is not finite.
        """
        before = self._observations
        actions = self.agent.act(before, self._progress)
        step = self._episodes.step(actions)
        self.agent.remember(before, actions, step)
        self._observations = step.observations
        self._recent.extend(step.episode_rewards.tolist())
        self.episodes_played += len(step.ended)
        self.frames += self._episodes.n_envs
        self._learn()
        if self._is_due(self._training.evaluate_every_frames) or self.frames >= self._training.num_frames:
            self._look()

    def _learn(self) -> None:
        """Take the gradient steps that are due, as soon as there is a batch to learn from."""
        training = self._training
        due = int((self.frames - training.learning_starts) / training.frames_per_update)
        if len(self.agent.replay) < training.batch_size:
            return
        while self.agent.learner.updates < due:
            update = self.agent.learn(self._progress)
            self._figures |= {
                "loss": update.loss,
                "mean_q": update.mean_value,
                "gradient_norm": update.gradient_norm,
                "mean_priority": float(update.errors.mean()),
                "max_priority": float(update.errors.max()),
            }

    def _is_due(self, every: int) -> bool:
        """Whether the last round passed a multiple of `every` frames."""
        return self.frames // every > (self.frames - self._episodes.n_envs) // every

    def _look(self) -> None:
        score = self._evaluate(self.agent)
        self._figures["validation_score"] = score
        self._looks_since_best += 1
        if score > self.best_score:
            self.best_score, self._looks_since_best = score, 0
            self._best = self.agent.learner.online.parameters.clone()

    def figures(self) -> dict[str, float]:
        """What the last gradient step and evaluation told, and how the last episodes ended.

        `mean_score_10` is the mean reward of the last ten episodes, `episode_reward` that of the last thousand.
        """
        told = dict(self._figures)
        if self._recent:
            rewards = list(self._recent)
            told |= {
                "mean_score_10": float(np.mean(rewards[-_LAST_EPISODES:])),
                "episode_reward": float(np.mean(rewards)),
            }
        sizes = [layer.weight_sigma.detach().abs().mean() for layer in self.agent.network.noisy_layers()]
        if sizes:
            told["mean_noise_size"] = float(torch.stack(sizes).mean())
        return told | {
            "episodes": float(self.episodes_played),
            "updates": float(self.agent.learner.updates),
            "epsilon": self.agent.epsilon(self._progress),
        }

    def take_best(self) -> None:
        """Put the agent's weights where the best evaluation saw them."""
        self.agent.learner.online.parameters.copy_(self._best)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        return {
            "frames": self.frames,
            "episodes_played": self.episodes_played,
            "best_score": self.best_score,
            "best": self._best,
            "looks_since_best": self._looks_since_best,
            "recent": list(self._recent),
            "figures": dict(self._figures),
            "observations": self._observations,
            "agent": self.agent.state(),
            "episodes": self._episodes.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.frames, self.episodes_played = state["frames"], state["episodes_played"]
        self.best_score, self._best = state["best_score"], state["best"].clone()
        self._looks_since_best = state["looks_since_best"]
        self._recent.clear()
        self._recent.extend(state["recent"])
        self._figures = dict(state["figures"])
        self._observations = np.asarray(state["observations"], np.float32).copy()
        self.agent.restore(state["agent"])
        self._episodes.restore(state["episodes"])
