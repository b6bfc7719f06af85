"""Activations of hidden layers and their derivatives, each in one pass over memory that is there already."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from MLOps.compiled import compiled

_aten = torch.ops.aten
_ODD = tuple(
    np.float32(coefficient)
    for coefficient in (
        -2.76076847742355e-16,
        2.00018790482477e-13,
        -8.60467152213735e-11,
        5.12229709037114e-08,
        1.48572235717979e-05,
        6.37261928875436e-04,
        4.89352455891786e-03,
    )
)
_EVEN = tuple(
    np.float32(coefficient)
    for coefficient in (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
)
_FLAT = np.float32(7.90531110763549805)  # from here on the quotient is 1


class Activation(NamedTuple):
    """``forward(z, h)`` writes h; ``backward(slope, z, h)`` turns the loss's slope at h into that at z, in place.

    All are of one shape (B, K), contiguous, float32.
    """

    forward: Callable[[Tensor, Tensor], object]
    backward: Callable[[Tensor, Tensor, Tensor], object]


@compiled
def tanh(z: npt.NDArray[np.float32], h: npt.NDArray[np.float32]) -> None:
    """Write tanh(z) to h, to 4e-7; about eight times as fast as torch's, which is exact to the last bit or two.

    Source: the quotient of polynomials of Eigen's ``ptanh_float``; NaN gives NaN.

    Parameters
    ----------
    z, h : (M,) float32
    """
    for i in range(len(z)):
        x = min(max(z[i], -_FLAT), _FLAT)
        square = x * x
        odd, even = _ODD[0], _EVEN[0]
        for k in range(1, len(_ODD)):
            odd = odd * square + _ODD[k]
        for k in range(1, len(_EVEN)):
            even = even * square + _EVEN[k]
        h[i] = np.divide(x * odd, even)  # not "/", whose check for zero would keep the loop from the vector units


ACTIVATIONS: dict[type[nn.Module], Activation] = {
    nn.Tanh: Activation(
        lambda z, h: tanh(z.view(-1).numpy(), h.view(-1).numpy()),
        lambda slope, _, h: _aten.tanh_backward.grad_input(slope, h, grad_input=slope),
    ),
    nn.ReLU: Activation(
        lambda z, h: torch.clamp_min(z, 0, out=h),
        lambda slope, _, h: _aten.threshold_backward.grad_input(slope, h, 0, grad_input=slope),
    ),
    nn.ELU: Activation(
        lambda z, h: _aten.elu.out(z, out=h),
        lambda slope, _, h: _aten.elu_backward.grad_input(slope, 1, 1, 1, True, h, grad_input=slope),
    ),
    nn.SiLU: Activation(
        lambda z, h: _aten.silu.out(z, out=h),
        lambda slope, z, _: _aten.silu_backward.grad_input(slope, z, grad_input=slope),
    ),
}
