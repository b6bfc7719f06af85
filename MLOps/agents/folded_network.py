"""Rainbow's network as plain layers over one vector of parameters, with its passes written out.

No graph is recorded and memory is used again; `MLOps.agents.noisy_streams` says how noise and streams are folded.
"""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from MLOps.agents.noisy_streams import add_noise, factorise, join_streams, noise_slope, part_streams
from MLOps.networks.dueling_categorical import RainbowNetwork

Float32Array = npt.NDArray[np.float32]
_aten = torch.ops.aten
_STREAMS = ("value", "advantage")


class Layer(NamedTuple):
    """A plain layer: weights (O, I) and bias (O,)."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def empty(cls, outputs: int, inputs: int) -> "Layer":
        return cls(torch.zeros(outputs, inputs), torch.zeros(outputs))

    def rows(self, first: int, last: int) -> "Layer":
        return Layer(self.weight[first:last], self.bias[first:last])

    def numpy(self) -> tuple[Float32Array, Float32Array]:
        return self.weight.numpy(), self.bias.numpy()


class _Vector:
    """Parameters of a network, or slopes at them, as views of one vector."""

    def __init__(self, values: Tensor, network: RainbowNetwork) -> None:
        self.values, self._views, end = values, {}, 0
        for name, parameter in _in_order(network):
            start, end = end, end + parameter.numel()
            self._views[name] = values[start:end].view_as(parameter)
        trunk = range(len(network.trunk))
        self.trunk = [Layer(self._views[f"trunk.{i}.weight"], self._views[f"trunk.{i}.bias"]) for i in trunk]
        self.streams = [name for name in _STREAMS if f"{name}.out.weight" in self._views]
        self.hidden = Layer(self._together("hidden.weight"), self._together("hidden.bias"))

    def __getitem__(self, name: str) -> Tensor:
        return self._views[name]

    def layer(self, name: str) -> Layer:
        return Layer(self._views[f"{name}.weight"], self._views[f"{name}.bias"])

    def noise_sizes(self, name: str) -> Layer:
        return Layer(self._views[f"{name}.weight_sigma"], self._views[f"{name}.bias_sigma"])

    def _together(self, name: str) -> Tensor:
        """The streams' own views as one: they lie one after the other."""
        parts = [self._views[f"{stream}.{name}"] for stream in self.streams]
        rows = sum(len(part) for part in parts)
        first = parts[0]
        return first.as_strided((rows, *first.shape[1:]), first.stride())


def _in_order(network: RainbowNetwork) -> Iterable[tuple[str, nn.Parameter]]:
    """Parameters by name, so that the streams' hidden weights lie side by side, and so their biases."""

    def place(named: tuple[str, nn.Parameter]) -> int:
        name = named[0]
        if name.startswith("trunk"):
            return 0
        return 1 + ("hidden.weight", "hidden.bias", "out.weight", "out.bias").index(name.partition(".")[2])

    means = [named for named in network.named_parameters() if not named[0].endswith("_sigma")]
    return [*sorted(means, key=place), *(named for named in network.named_parameters() if named[0].endswith("_sigma"))]


class _Memory(NamedTuple):
    """What a pass over B rows writes."""

    trunk: list[Tensor]
    hidden: Tensor
    logits: Tensor
    trunk_slopes: list[Tensor]
    hidden_slope: Tensor


class FoldedNetwork:
    """Passes of a `RainbowNetwork`, whose parameters become views of `parameters`.

    To be called under ``torch.no_grad``. `fold` must be called after each change of the parameters or draw of noise.

    Parameters
    ----------
    network : RainbowNetwork

    Attributes
    ----------
    parameters, slopes : (P,) float32 tensors
        All parameters, and where `backward` writes the slopes at them.
    """

    def __init__(self, network: RainbowNetwork) -> None:
        count = sum(parameter.numel() for parameter in network.parameters())
        self._own, self._slope = _Vector(torch.empty(count), network), _Vector(torch.zeros(count), network)
        self.parameters, self.slopes = self._own.values, self._slope.values
        for name, parameter in network.named_parameters():
            self._own[name].copy_(parameter.detach())
            parameter.data = self._own[name]
        self._is_noisy, self._is_dueling = bool(network.noisy_layers()), network.value is not None
        self._reserve()
        self._memory: dict[int, _Memory] = {}

    def _reserve(self) -> None:
        """Memory of the folded layers, and the arguments of what writes them, which stay the same."""
        own, slope = self._own, self._slope
        outs = {name: own.layer(f"{name}.out") for name in own.streams}
        width = outs["advantage"].weight.shape[1]
        self._hidden = Layer.empty(*own.hidden.weight.shape) if self._is_noisy else own.hidden
        if self._is_noisy:
            outs = {name: Layer.empty(*layer.weight.shape) for name, layer in outs.items()}
        self._out, self._out_slope = outs["advantage"], slope.layer("advantage.out")
        self._joining: tuple[Float32Array, ...] = ()
        self._parting: tuple[Float32Array, ...] = ()
        if self._is_dueling:
            self._out, self._out_slope = (Layer.empty(len(self._out.bias), 2 * width) for _ in range(2))
            self._joining = (*outs["value"].numpy(), *outs["advantage"].numpy(), *self._out.numpy())
            slopes = (slope.layer(f"{name}.out").numpy() for name in own.streams)
            self._parting = (*self._out_slope.numpy(), *chain.from_iterable(slopes))
        hidden = {name: self._hidden.rows(i * width, (i + 1) * width) for i, name in enumerate(own.streams)}
        folded = {
            f"{name}.{kind}": of[name] for name in own.streams for kind, of in (("hidden", hidden), ("out", outs))
        }
        self._reserve_noise(folded if self._is_noisy else {})

    def _reserve_noise(self, folded: dict[str, Layer]) -> None:
        """Draws of all noisy layers in one vector: each layer's inputs, then its outputs."""
        sizes = [size for layer in folded.values() for size in (layer.weight.shape[1], layer.weight.shape[0])]
        self._normal = torch.zeros(sum(sizes))
        drawn = [part.numpy() for part in torch.split(self._normal, sizes)] if sizes else []
        self._adding, self._sizing = [], []
        for i, (name, into) in enumerate(folded.items()):
            noise = (drawn[2 * i], drawn[2 * i + 1])
            (weight, bias), sizes_of = self._own.layer(name).numpy(), self._own.noise_sizes(name).numpy()
            self._adding.append((weight, sizes_of[0], bias, sizes_of[1], *noise, *into.numpy()))
            self._sizing.append((*self._slope.layer(name).numpy(), *noise, *self._slope.noise_sizes(name).numpy()))

    def fold(self, generator: torch.Generator | None) -> None:
        """Take the parameters as they stand, with new noise from the generator, or with none."""
        if self._is_noisy:
            self._draw(generator)
        for arguments in self._adding:
            add_noise(*arguments)
        if self._is_dueling:
            join_streams(*self._joining)

    def _draw(self, generator: torch.Generator | None) -> None:
        if generator is None:
            self._normal.zero_()
            return
        self._normal.normal_(generator=generator)
        factorise(self._normal.numpy())

    def forward(self, observations: Tensor) -> Tensor:
        """Logits (B, A * Z) of observations (B, D); a view that the next pass over B rows overwrites."""
        memory = self._memory_for(len(observations))
        given = observations
        for layer, into in zip(self._own.trunk, memory.trunk, strict=True):
            given = torch.addmm(layer.bias, given, layer.weight.t(), out=into).clamp_min_(0)
        torch.addmm(self._hidden.bias, given, self._hidden.weight.t(), out=memory.hidden).clamp_min_(0)
        return torch.addmm(self._out.bias, memory.hidden, self._out.weight.t(), out=memory.logits)

    def backward(self, observations: Tensor, logit_slope: Tensor, passed: int) -> None:
        """Write `slopes`, from those at the logits of the first B rows of the last pass over `passed` rows.

        Parameters
        ----------
        observations : (B, D)
        logit_slope : (B, A * Z)
        passed : int
            At least B.
        """
        memory, rows = self._memory_for(passed), len(observations)
        hidden, hidden_slope = memory.hidden[:rows], memory.hidden_slope[:rows]
        _into_layer(logit_slope, hidden, self._out_slope)
        torch.mm(logit_slope, self._out.weight, out=hidden_slope)
        _aten.threshold_backward.grad_input(hidden_slope, hidden, 0, grad_input=hidden_slope)
        inputs = [observations, *(outputs[:rows] for outputs in memory.trunk)]
        _into_layer(hidden_slope, inputs[-1], self._slope.hidden)
        slope, weight = hidden_slope, self._hidden.weight
        for i in reversed(range(len(memory.trunk))):
            before = memory.trunk_slopes[i][:rows]
            torch.mm(slope, weight, out=before)
            _aten.threshold_backward.grad_input(before, inputs[i + 1], 0, grad_input=before)
            _into_layer(before, inputs[i], self._slope.trunk[i])
            slope, weight = before, self._own.trunk[i].weight
        self._unfold()

    def _unfold(self) -> None:
        if self._is_dueling:
            part_streams(*self._parting)
        for arguments in self._sizing:
            noise_slope(*arguments)

    def _memory_for(self, rows: int) -> _Memory:
        if rows not in self._memory:
            trunk = [len(layer.bias) for layer in self._own.trunk]
            self._memory[rows] = _Memory(
                [torch.empty(rows, size) for size in trunk],
                torch.empty(rows, len(self._hidden.bias)),
                torch.empty(rows, len(self._out.bias)),
                [torch.empty(rows, size) for size in trunk],
                torch.empty(rows, len(self._hidden.bias)),
            )
        return self._memory[rows]


def _into_layer(slope: Tensor, inputs: Tensor, into: Layer) -> None:
    """Write the slopes at a layer's parameters from those at its outputs (B, O) and from its inputs (B, I)."""
    torch.mm(slope.t(), inputs, out=into.weight)
    torch.sum(slope, 0, out=into.bias)
