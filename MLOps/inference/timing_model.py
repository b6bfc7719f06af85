"""The model folder of a buy-timing policy: its card, the weights of its network, and the files that hold them.

``model.json`` says the kind (from an allow-list), architecture, observation, market and provenance;
``policy.safetensors`` holds the means of the layers, float32: NoisyNet is in evaluation mode here, without
its noise. Named tensors, (outputs, inputs) like torch's: ``trunk.{i}``, ``value.hidden``, ``value.out``
(atoms), ``advantage.hidden``, ``advantage.out`` (actions x atoms, action by action), each ``.weight`` and
``.bias``. Without dueling heads there is no ``value``. What holds of any model folder: model_files.py; what
it becomes in memory: timing_policy.py.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from MLOps.artifacts import write_text, written_whole
from MLOps.errors import ModelError
from MLOps.inference.model_files import CARD_FILE, POLICY_FILE, model_digest

ACTIONS = 2
"""Hold (0) and buy (1)."""
FEATURES_BESIDE_PRICES = 2
"""position_value and remaining_time, which precede the prices of an observation."""
Float32Array = npt.NDArray[np.float32]
Weights = Mapping[str, Float32Array]
Size = Annotated[int, Field(ge=1, le=65_536)]


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimingArchitecture(_Card):
    """A trunk of linear layers with ReLU, then one stream of advantages, and beside it one of the value if dueling."""

    hidden_sizes: tuple[Size, ...] = Field(min_length=1, description="Units of each layer of the trunk.")
    stream_size: Size = Field(description="Units of value.hidden and of advantage.hidden.")
    atoms: Size = Field(description="Points of the distribution of returns; 1 where a return is one number.")
    v_min: FiniteFloat = Field(description="Return at the first atom.")
    v_max: FiniteFloat = Field(description="Return at the last atom.")
    is_dueling: bool = Field(description="Whether value and advantages are streams of their own.")
    is_categorical: bool = Field(description="Whether the network gives a distribution of returns (C51).")

    @model_validator(mode="after")
    def _atoms_fit(self) -> "TimingArchitecture":
        if self.is_categorical and not (self.atoms >= 2 and self.v_min < self.v_max):
            raise ValueError(f"atoms={self.atoms}, v_min={self.v_min}, v_max={self.v_max}: no distribution")
        if not self.is_categorical and self.atoms != 1:
            raise ValueError(f"atoms={self.atoms}, but without is_categorical there is 1")
        return self


class TimingObservation(_Card):
    """What the policy sees: position_value, remaining_time, then the last `window_size` prices, oldest first."""

    window_size: Size = Field(description="Prices that an observation holds.")
    size: Size = Field(description="Length of the observation, window_size + 2.")

    @model_validator(mode="after")
    def _size_fits(self) -> "TimingObservation":
        if self.size != self.window_size + FEATURES_BESIDE_PRICES:
            raise ValueError(f"size={self.size}, but window_size={self.window_size} makes {self.window_size + 2}")
        return self


class TimingMarket(_Card):
    """What was bought, in which cycle and at what cost."""

    symbol: str = Field(pattern=r"^[A-Z0-9]{2,10}$", description="The coin, by its ticker.")
    frequency: Literal["1h", "1d"] = Field(description="Time between two decisions.")
    cycle_steps: int = Field(ge=2, description="Decisions of a cycle; at the last one the purchase is forced.")
    fee_bps: float = Field(ge=0, allow_inf_nan=False, description="Cost of a purchase, in basis points of its price.")


class TimingWindow(_Card):
    """First and last instant of a window, both included."""

    first: AwareDatetime
    last: AwareDatetime


class RainbowTimingCard(_Card):
    """Card of a trained network."""

    format: Literal[1] = 1
    kind: Literal["rainbow_timing"] = "rainbow_timing"
    architecture: TimingArchitecture
    observation: TimingObservation
    market: TimingMarket
    environment: dict[str, Any] = Field(description="Settings of the environment it was trained in, as a record.")
    windows: dict[Literal["train", "validation", "test"], TimingWindow]
    provenance: dict[str, str | int | float | bool | None] = Field(description="Algorithm, seed, digests, commit.")

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of the weights, by name."""
        network = self.architecture
        shapes: dict[str, tuple[int, ...]] = {}
        for position, (inputs, outputs) in enumerate(pairwise([self.observation.size, *network.hidden_sizes])):
            shapes |= _linear(f"trunk.{position}", inputs, outputs)
        outputs_of = {"value": network.atoms} if network.is_dueling else {}
        for stream, outputs in (outputs_of | {"advantage": ACTIONS * network.atoms}).items():
            shapes |= _linear(f"{stream}.hidden", network.hidden_sizes[-1], network.stream_size)
            shapes |= _linear(f"{stream}.out", network.stream_size, outputs)
        return shapes


class BuyFirstCard(_Card):
    """Card of the policy that buys at the first step; it has no weights file."""

    format: Literal[1] = 1
    kind: Literal["buy_first"] = "buy_first"


TimingCard = RainbowTimingCard | BuyFirstCard
_CARDS: TypeAdapter[TimingCard] = TypeAdapter(Annotated[TimingCard, Field(discriminator="kind")])


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def write_timing_model(folder: Path, card: TimingCard, weights: Weights | None = None) -> str:
    """Write the card and the weights into `folder`, each whole or not at all; returns the digest.

    Raises
    ------
    ModelError
        If the weights are not what the card promises; then nothing is written.
    """
    from safetensors.numpy import save_file

    if isinstance(card, RainbowTimingCard):
        checked = _checked(weights or {}, card, "the weights to be written")
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / POLICY_FILE) as temporary:
            save_file(checked, temporary)
    elif weights is not None:
        raise ModelError(f"weights for the kind {card.kind}", "none: it has no network")
    write_text(folder / CARD_FILE, card.model_dump_json(indent=2) + "\n")
    return model_digest(folder)


def write_buy_first(folder: Path) -> str:
    """Write the model folder of the policy that buys at the first step; returns its digest."""
    return write_timing_model(folder, BuyFirstCard())


def read_timing_card(folder: Path) -> TimingCard:
    """The card of a model folder.

    Raises
    ------
    ModelError
        If there is no card, its kind is not on the allow-list, or a field is missing or malformed.
    """
    path = folder / CARD_FILE
    try:
        return _CARDS.validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(f"{folder} holds no {CARD_FILE}", "a model folder", "train a model first") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ModelError(
            f"{path}: {place} {fault['msg']}", "kinds rainbow_timing and buy_first (format 1)", "train it again"
        ) from error


def read_timing_weights(folder: Path, card: RainbowTimingCard) -> dict[str, Float32Array]:
    """The tensors of a model folder, by name, as `RainbowTimingCard.tensor_shapes` tells.

    Raises
    ------
    ModelError
        If the file is missing or no safetensors, or a tensor is missing, unknown, of another shape or type,
        or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / POLICY_FILE
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "a safetensors file", "fetch or train it again") from error
    return _checked(tensors, card, str(path))


def _checked(tensors: Mapping[str, npt.NDArray[Any]], card: RainbowTimingCard, place: str) -> dict[str, Float32Array]:
    """The tensors in the card's order, each contiguous."""
    shapes = card.tensor_shapes()
    if odd := sorted(tensors.keys() ^ shapes.keys()):
        state = "lack" if odd[0] in shapes else "hold"
        raise ModelError(f"{place} {state} the tensor {odd[0]}", f"tensors of {CARD_FILE}'s architecture")
    return {name: _tensor(tensors[name], shape, f"{place}: {name}") for name, shape in shapes.items()}


def _tensor(value: npt.NDArray[Any], shape: tuple[int, ...], place: str) -> Float32Array:
    if value.dtype != np.float32 or value.shape != shape:
        raise ModelError(f"{place} is {value.dtype} {value.shape}", f"float32 {shape}", "train the model again")
    if not np.isfinite(value).all():
        raise ModelError(f"{place} holds NaN or infinity", "finite weights", "train the model again")
    return np.ascontiguousarray(value)
