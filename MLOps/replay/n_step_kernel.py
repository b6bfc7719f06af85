"""The compiled window of n-step returns: a ring of n steps for each environment."""

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@compiled
def count_complete(pending: IntArray, is_last: BoolArray, steps: int) -> int:
    """How many transitions one more step of every environment completes."""
    count = 0
    for e in range(len(pending)):
        if is_last[e]:
            count += pending[e] + 1
        elif pending[e] + 1 == steps:
            count += 1
    return count


@compiled
def push_steps(
    held_observations: Float32Array,
    held_actions: IntArray,
    held_rewards: FloatArray,
    pending: IntArray,
    newest: IntArray,
    discount: float,
    observations: Float32Array,
    actions: IntArray,
    rewards: FloatArray,
    after: Float32Array,
    last_observations: Float32Array,
    is_last: BoolArray,
    is_cut: BoolArray,
    first_observations: Float32Array,
    first_actions: IntArray,
    returns: Float32Array,
    next_observations: Float32Array,
    discounts: Float32Array,
) -> None:
    """Take in one step of every environment and write what is complete, the arrays of `Transitions` last.

    Parameters
    ----------
    held_observations, held_actions, held_rewards : (E, n, D) float32, (E, n) int64, (E, n) float64
        The rings; changed.
    pending, newest : (E,) int64
        How many steps of a ring wait for their return, and where its newest lies; changed.
    observations, actions, rewards, after, last_observations, is_last, is_cut
        As `NStepWindow.push` and `Step` tell.
    """
    steps, size = held_observations.shape[1], held_observations.shape[2]
    written = ended = 0
    for e in range(len(pending)):
        at = (newest[e] + 1) % steps
        newest[e] = at
        held_actions[e, at], held_rewards[e, at] = actions[e], rewards[e]
        for k in range(size):
            held_observations[e, at, k] = observations[e, k]
        pending[e] += 1
        if not is_last[e] and pending[e] < steps:
            continue
        complete = pending[e] if is_last[e] else 1
        until, row = (last_observations, ended) if is_last[e] else (after, e)
        value_kept = 0.0 if is_last[e] and not is_cut[e] else 1.0
        total, faded = 0.0, 1.0
        for back in range(pending[e]):  # from the newest step to the oldest
            step = (at - back + steps) % steps
            total = held_rewards[e, step] + discount * total
            faded *= discount
            place = written + pending[e] - 1 - back
            if back < pending[e] - complete:
                continue
            first_actions[place], returns[place], discounts[place] = held_actions[e, step], total, faded * value_kept
            for k in range(size):
                first_observations[place, k] = held_observations[e, step, k]
                next_observations[place, k] = until[row, k]
        written += complete
        pending[e] -= complete
        ended += is_last[e]
