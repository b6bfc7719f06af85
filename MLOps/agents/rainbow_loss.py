"""Rainbow's loss over a batch and its slope at the network's logits, in one compiled pass.

Sources: Bellemare et al., 2017, "A Distributional Perspective on Reinforcement Learning", algorithm 1 (the projection);
Hessel et al., 2018, "Rainbow", section 4 (the loss over n steps, double choice, priorities by the divergence).
"""

from math import log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class BatchSlope(NamedTuple):
    """What a loss writes.

    Attributes
    ----------
    logits : (B, A * Z) float32
        Slope of the batch's loss at the logits of the observations; 0 at the actions that were not taken.
    errors : (B,) float64
        How wrong each transition was foretold, not weighted: its priority. The divergence of the foretold
        distribution from its target, or the absolute difference of the values.
    values : (B,) float64
        Foretold value of the action that was taken.
    """

    logits: Float32Array
    errors: FloatArray
    values: FloatArray


@compiled
def project(
    probabilities: Float32Array, support: Float32Array, reward: float, discount: float, target: FloatArray
) -> None:
    """Write ``reward + discount * support`` with its probabilities, brought back to the atoms of the support.

    Parameters
    ----------
    probabilities, support : (Z,) float32
        Of the atoms; the support is evenly spaced.
    reward, discount : float
        Each atom's return is shrunk and moved by them, and clipped to the support.
    target : (Z,) float64
        Each probability is shared by the two neighbouring atoms, the nearer one getting more.
    """
    last = len(support) - 1
    lowest, highest = float(support[0]), float(support[last])
    step = (highest - lowest) / last
    target[:] = 0.0
    for atom in range(len(support)):
        place = (min(max(reward + discount * support[atom], lowest), highest) - lowest) / step
        lower = min(int(place), last)
        share = place - lower
        target[lower] += probabilities[atom] * (1.0 - share)
        if share > 0.0:
            target[min(lower + 1, last)] += probabilities[atom] * share


@compiled
def categorical_slope(
    log_probabilities: Float32Array,
    probabilities: Float32Array,
    choosing: Float32Array,
    judging: Float32Array,
    support: Float32Array,
    actions: IntArray,
    returns: Float32Array,
    discounts: Float32Array,
    weights: Float32Array,
    slope: BatchSlope,
) -> float:
    """Cross-entropy of the foretold distributions against their projected targets; writes its slope, gives its mean.

    Parameters
    ----------
    log_probabilities, probabilities : (B, A, Z) float32
        Of the online network at the observations.
    choosing, judging : (B, A, Z) float32
        Probabilities at the next observations: the greatest mean of the first chooses the action, the second tells
        its distribution. Double DQN gives the online network's first; plain DQN the target network's twice.
    support : (Z,) float32
    actions, returns, discounts, weights : (B,)
        Of the transitions.
    """
    size, _, atoms = log_probabilities.shape
    target, loss = np.empty(atoms), 0.0
    slope.logits[:] = 0.0
    for row in range(size):
        action, chosen = actions[row], 0
        if discounts[row] > 0.0:
            chosen = _greatest_mean(choosing[row], support)
        project(judging[row, chosen], support, returns[row], discounts[row], target)
        cross_entropy, entropy, value = 0.0, 0.0, 0.0
        for atom in range(atoms):
            told, wanted = log_probabilities[row, action, atom], target[atom]
            probability = probabilities[row, action, atom]
            value += probability * support[atom]
            if wanted > 0.0:
                cross_entropy -= wanted * told
                entropy -= wanted * log(wanted)
            slope.logits[row, action * atoms + atom] = weights[row] * (probability - wanted) / size
        slope.errors[row] = max(cross_entropy - entropy, 0.0)
        slope.values[row] = value
        loss += weights[row] * cross_entropy
    return float(loss / size)


@compiled
def _greatest_mean(probabilities: Float32Array, support: Float32Array) -> int:
    """The action of (A, Z) with the greatest mean, the first of equals."""
    best, greatest = 0, -np.inf
    for action in range(len(probabilities)):
        mean = 0.0
        for atom in range(len(support)):
            mean += probabilities[action, atom] * support[atom]
        if mean > greatest:
            best, greatest = action, mean
    return best


@compiled
def value_slope(
    values: Float32Array,
    choosing: Float32Array,
    judging: Float32Array,
    actions: IntArray,
    returns: Float32Array,
    discounts: Float32Array,
    weights: Float32Array,
    slope: BatchSlope,
) -> float:
    """Huber loss (bend at 1) of foretold values against their targets; writes its slope, gives its mean.

    Parameters
    ----------
    values : (B, A) float32
        Of the online network at the observations.
    choosing, judging : (B, A) float32
        Values at the next observations, as in `categorical_slope`.
    actions, returns, discounts, weights : (B,)
        Of the transitions.
    """
    size, loss = len(values), 0.0
    slope.logits[:] = 0.0
    for row in range(size):
        action = actions[row]
        chosen = np.argmax(choosing[row])
        difference = values[row, action] - (returns[row] + discounts[row] * judging[row, chosen])
        bent = min(max(difference, -1.0), 1.0)
        slope.logits[row, action] = weights[row] * bent / size
        slope.errors[row] = abs(difference)
        slope.values[row] = values[row, action]
        loss += weights[row] * bent * (difference - 0.5 * bent)
    return float(loss / size)
