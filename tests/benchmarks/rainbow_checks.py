"""Our answers to what tianshou_checks.py computes: values of observations, and one gradient step on given transitions.

Networks, transitions, priorities and importance weights are the same; noise has the size 0. In this, tianshou asks for
the next distribution one step after a transition's beginning, however many rewards its return sums; ours asks where the
sum ends. Over one step the whole update must be equal; over three it must be once ours is given tianshou's place.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import rainbow_task
import torch
from comparison import require_equal

from MLOps.agents.rainbow import RainbowAgent
from MLOps.agents.rainbow_learner import RainbowLearner
from MLOps.agents.rainbow_loss import project
from MLOps.environments.dca_timing_kernel import ACTIONS
from MLOps.networks.dueling_categorical import RainbowNetwork
from MLOps.replay.n_step import NStepWindow
from MLOps.replay.transitions import ReplayBatch, Transitions

Arrays = Mapping[str, npt.NDArray[np.generic]]
_VALUES, _UPDATE, _ABSOLUTE, _WEIGHTS, _STEP_SHARE, _NEVER = 1e-5, 1e-4, 1e-5, 1e-5, 0.01, 1e9


def check(theirs: Arrays) -> str:
    """What was found equal.

    Raises
    ------
    NotEqualError
        If the values, the target distributions, the loss, the priorities or the new weights are not.
    """
    told = [require_equal("q values", _q_values(), theirs["q_values"], _VALUES, _VALUES)]
    for steps in (1, 3):
        prefix = f"{steps}."
        of_steps = {name.removeprefix(prefix): a for name, a in theirs.items() if name.startswith(prefix)}
        told += [f"{line} (returns over {steps})" for line in _check_update(steps, of_steps)]
    return "; ".join(told)


def _check_update(steps: int, theirs: Arrays) -> list[str]:
    batch, (network, learner) = _batch(steps), _learner()
    target = _targets(batch)
    told = [require_equal("target distributions", target, theirs["target"], _UPDATE, _ABSOLUTE)]
    before = _means(network)
    update = learner.update(batch)
    entropy = -np.sum(target * np.log(np.where(target > 0, target, 1.0)), 1)
    told.append(require_equal("loss", update.loss, theirs["loss"], _UPDATE))
    told.append(require_equal("cross-entropies", update.errors + entropy, theirs["cross_entropy"], _UPDATE, _ABSOLUTE))
    after, largest = _means(network), rainbow_task.training().learning_rate
    moved = max(np.abs(after[name] - before[name]).max() for name in after)
    assert moved > largest / 10, "weights that did not move would agree"
    new = np.concatenate([after[name].ravel() for name in after])
    theirs_new = np.concatenate([theirs[f"mean.{name}"].ravel() for name in after])
    return [*told, require_equal("weights after the step", new, theirs_new, _WEIGHTS, _STEP_SHARE * largest)]


def _q_values() -> npt.NDArray[np.float32]:
    agent = RainbowAgent(rainbow_task.SIZE, ACTIONS, rainbow_task.model(), rainbow_task.training())
    agent.network.load_state_dict(rainbow_task.network(1).state_dict())
    return agent.values(np.concatenate([played.observation for played in rainbow_task.play()]))


def _learner() -> tuple[RainbowNetwork, RainbowLearner]:
    """An online network, and a learner whose target network is another one."""
    settings = rainbow_task.model(), rainbow_task.training(max_grad_norm=_NEVER)
    online, other = (rainbow_task.network(seed, is_quiet=True) for seed in (1, 2))
    learner, of_other = (
        RainbowLearner(network, rainbow_task.network(1), *settings, torch.Generator()) for network in (online, other)
    )
    learner.restore(learner.state() | {"target": of_other.state()["online"]})
    return online, learner


def _batch(steps: int) -> ReplayBatch:
    """The oldest transitions, which go on to where tianshou looks, and their importance weights."""
    size, exponent = rainbow_task.training().batch_size, rainbow_task.training().importance_exponent
    window = NStepWindow(1, rainbow_task.SIZE, steps, rainbow_task.CHECKED_DISCOUNT)
    played = list(rainbow_task.play())
    complete = [window.push(one.observation, one.action, one.step.rewards, one.step) for one in played]
    whole = Transitions(*(np.concatenate(column)[:size] for column in zip(*complete, strict=True)))
    next_ones = np.stack([one.seen for one in played[:size]])
    priorities = rainbow_task.checked_priorities(size)
    weights = ((priorities / priorities.min()) ** -exponent).astype(np.float32)
    return ReplayBatch(np.arange(size), *whole._replace(next_observations=next_ones), weights)


def _targets(batch: ReplayBatch) -> npt.NDArray[np.float64]:
    """Target distributions (B, Z): chosen by the online network, judged by the target network, projected by ours."""
    online, judge = (rainbow_task.network(seed, is_quiet=True) for seed in (1, 2))
    with torch.no_grad():
        seen = torch.from_numpy(batch.next_observations)
        chosen, judged = online.q_values(seen).argmax(1).numpy(), judge(seen).softmax(-1).numpy()
    targets = np.empty((len(chosen), online.atoms))
    for row, action in enumerate(chosen):
        reward, discount = float(batch.returns[row]), float(batch.discounts[row])
        project(judged[row, action], online.support.numpy(), reward, discount, targets[row])
    return targets


def _means(network: RainbowNetwork) -> dict[str, npt.NDArray[np.float32]]:
    """All weights but the noise's sizes, copied."""
    named = network.named_parameters()
    return {name: weights.detach().numpy().copy() for name, weights in named if not name.endswith("_sigma")}
