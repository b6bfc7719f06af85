"""PPO's loss over a minibatch and its derivatives, in one compiled pass.

Source: Schulman et al., 2017, "Proximal Policy Optimization Algorithms", equations 7 and 9.
"""

from math import exp, log, pi, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
_SMALLEST_DEVIATION = 1e-8


class Samples(NamedTuple):
    """S samples of a rollout.

    Attributes
    ----------
    actions : (S, N) float32
    log_probabilities : (S,) float32
        Of the actions when they were taken.
    advantages, returns : (S,) float32
    """

    actions: Float32Array
    log_probabilities: Float32Array
    advantages: Float32Array
    returns: Float32Array


class LossWeights(NamedTuple):
    """What makes the loss.

    Attributes
    ----------
    clip_range : float
        How far the probability ratio may leave 1.
    value, entropy : float
        Weights of the value loss and of the entropy bonus.
    is_normalised : bool
        Whether the minibatch's advantages get mean 0 and deviation 1.
    """

    clip_range: float
    value: float
    entropy: float
    is_normalised: bool


class Figures(NamedTuple):
    """Of one minibatch, not weighted.

    Attributes
    ----------
    policy_loss, value_loss, entropy_loss : float
    divergence : float
        Estimate of the Kullback-Leibler divergence from the policy that acted.
    clipped : float
        Fraction of the samples whose ratio is clipped.
    """

    policy_loss: float
    value_loss: float
    entropy_loss: float
    divergence: float
    clipped: float


@compiled
def surrogate_loss(
    rows: IntArray,
    samples: Samples,
    weights: LossWeights,
    mean: Float32Array,
    log_std: Float32Array,
    values: Float32Array,
    mean_slope: Float32Array,
    log_std_slope: Float32Array,
    value_slope: Float32Array,
) -> tuple[float, float, float, float, float]:
    """Losses of B samples, whose actions are Gaussian with one deviation a ticker, and their derivatives.

    Parameters
    ----------
    rows : (B,) int64
        The minibatch's samples.
    samples : Samples
    weights : LossWeights
    mean : (B, N) float32
        The policy's means now.
    log_std : (N,) float32
        Logarithms of its deviations.
    values : (B, 1) float32
        The critic's values now.
    mean_slope, log_std_slope, value_slope : as mean, log_std, values
        Written: the whole loss's derivatives.

    Returns
    -------
    tuple of float
        As `Figures`.
    """
    count, size = mean.shape
    centre, deviation = _moments(samples.advantages, rows) if weights.is_normalised and count > 1 else (0.0, 1.0)
    entropy, constant, precision, by_log_std = 0.0, 0.0, np.empty(size), np.zeros(size)
    for n in range(size):
        entropy += 0.5 + 0.5 * log(2 * pi) + log_std[n]
        constant -= 0.5 * log(2 * pi) + log_std[n]
        precision[n] = exp(-2.0 * log_std[n])
    policy_loss, value_loss, divergence, clipped = 0.0, 0.0, 0.0, 0
    for b in range(count):
        row, distance = rows[b], 0.0
        for n in range(size):
            gap = samples.actions[row, n] - mean[b, n]
            distance += gap * gap * precision[n]
        log_ratio = constant - 0.5 * distance - samples.log_probabilities[row]
        ratio = exp(log_ratio)
        advantage = (samples.advantages[row] - centre) / deviation
        bounded = min(max(ratio, 1 - weights.clip_range), 1 + weights.clip_range)
        policy_loss -= min(advantage * ratio, advantage * bounded)
        divergence += ratio - 1 - log_ratio
        clipped += abs(ratio - 1) > weights.clip_range
        slope = -advantage * ratio / count if advantage * ratio <= advantage * bounded else 0.0
        for n in range(size):
            gap = samples.actions[row, n] - mean[b, n]
            mean_slope[b, n] = slope * gap * precision[n]
            by_log_std[n] += slope * (gap * gap * precision[n] - 1)
        miss = values[b, 0] - samples.returns[row]
        value_loss += miss * miss
        value_slope[b, 0] = weights.value * 2 * miss / count
    for n in range(size):
        log_std_slope[n] = by_log_std[n] - weights.entropy
    return policy_loss / count, value_loss / count, -entropy, divergence / count, clipped / count


@compiled
def _moments(values: Float32Array, rows: IntArray) -> tuple[float, float]:
    """Mean and deviation (unbiased, and a little, against division by zero) of the rows."""
    total, squares = 0.0, 0.0
    for row in rows:
        total += values[row]
    mean = total / len(rows)
    for row in rows:
        squares += (values[row] - mean) ** 2
    return mean, sqrt(squares / (len(rows) - 1)) + _SMALLEST_DEVIATION
