"""The two streams of Rainbow's network as one layer after another, noise and mean advantage folded into the weights.

Noise is the same for all rows of a batch, so that a noisy layer is a plain one with other weights. Both streams see the
same values, so that their hidden layers are one. And ``value + advantage - mean advantage`` is linear in both streams,
so that their output layers are one: its rows for action a are ``[V | A_a - mean over actions of A]``. Slopes at the
folded weights come back to the layers' own by the transposed maps.
"""

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

Float32Array = npt.NDArray[np.float32]


@compiled
def factorise(normal: Float32Array) -> None:
    """Turn standard normal draws into ``sign(e) sqrt(|e|)``, in place."""
    for place in range(len(normal)):
        drawn = normal[place]
        normal[place] = np.sqrt(drawn) if drawn >= 0 else -np.sqrt(-drawn)


@compiled
def add_noise(
    weight: Float32Array,
    weight_sigma: Float32Array,
    bias: Float32Array,
    bias_sigma: Float32Array,
    noise_in: Float32Array,
    noise_out: Float32Array,
    into_weight: Float32Array,
    into_bias: Float32Array,
) -> None:
    """Write a noisy layer's weights (O, I) and bias (O,) as they stand under this noise."""
    outputs, inputs = weight.shape
    for row in range(outputs):
        scale = noise_out[row]
        into_bias[row] = bias[row] + bias_sigma[row] * scale
        for column in range(inputs):
            into_weight[row, column] = weight[row, column] + weight_sigma[row, column] * (scale * noise_in[column])


@compiled
def noise_slope(
    weight: Float32Array,
    bias: Float32Array,
    noise_in: Float32Array,
    noise_out: Float32Array,
    into_weight: Float32Array,
    into_bias: Float32Array,
) -> None:
    """Write the slopes at the noise's sizes, from those at the means, `weight` (O, I) and `bias` (O,)."""
    outputs, inputs = weight.shape
    for row in range(outputs):
        scale = noise_out[row]
        into_bias[row] = bias[row] * scale
        for column in range(inputs):
            into_weight[row, column] = weight[row, column] * (scale * noise_in[column])


@compiled
def join_streams(
    value: Float32Array,
    value_bias: Float32Array,
    advantage: Float32Array,
    advantage_bias: Float32Array,
    into: Float32Array,
    into_bias: Float32Array,
) -> None:
    """Write the output layer (A * Z, 2 S) of both streams from `value` (Z, S) and `advantage` (A * Z, S)."""
    atoms, width = value.shape
    actions = len(advantage) // atoms
    for atom in range(atoms):
        mean_bias = 0.0
        for action in range(actions):
            mean_bias += advantage_bias[action * atoms + atom] / actions
        for action in range(actions):
            row = action * atoms + atom
            into_bias[row] = value_bias[atom] + advantage_bias[row] - mean_bias
        for column in range(width):
            mean = np.float32(0.0)
            for action in range(actions):
                mean += advantage[action * atoms + atom, column]
            mean /= actions
            for action in range(actions):
                row = action * atoms + atom
                into[row, column] = value[atom, column]
                into[row, width + column] = advantage[row, column] - mean


@compiled
def part_streams(
    joined: Float32Array,
    joined_bias: Float32Array,
    value: Float32Array,
    value_bias: Float32Array,
    advantage: Float32Array,
    advantage_bias: Float32Array,
) -> None:
    """Write the slopes at both streams' output layers from those at the joined one; shapes as in `join_streams`."""
    atoms, width = value.shape
    actions = len(advantage) // atoms
    for atom in range(atoms):
        total_bias = np.float32(0.0)
        for action in range(actions):
            total_bias += joined_bias[action * atoms + atom]
        value_bias[atom] = total_bias
        for action in range(actions):
            row = action * atoms + atom
            advantage_bias[row] = joined_bias[row] - total_bias / actions
        for column in range(width):
            total, mean = np.float32(0.0), np.float32(0.0)
            for action in range(actions):
                row = action * atoms + atom
                total += joined[row, column]
                mean += joined[row, width + column]
            mean /= actions
            value[atom, column] = total
            for action in range(actions):
                row = action * atoms + atom
                advantage[row, column] = joined[row, width + column] - mean
