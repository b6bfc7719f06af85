"""The model folder of a trading policy: its card, and the weights of a perceptron.

``model.json`` says the kind (from an allow-list), architecture, observation schema, normalisation and
provenance; ``policy.safetensors`` holds the layers. What holds of any model folder: model_files.py.
"""

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from MLOps.artifacts import write_text, written_whole
from MLOps.errors import ModelError
from MLOps.inference.model_files import CARD_FILE, POLICY_FILE, model_digest

Activation = Literal["tanh", "relu", "elu", "silu"]
Squash = Literal["clip", "tanh"]
Weights = Mapping[str, npt.NDArray[np.float32]]


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Architecture(_Card):
    """A multilayer perceptron: linear layers, an activation after each but the last, then the squash."""

    hidden_sizes: tuple[int, ...] = Field(description="Units of each hidden layer.")
    activation: Activation = Field(description="After each hidden layer.")
    squash: Squash = Field(description="What brings the last layer's output into [-1, 1].")


class ObservationSchema(_Card):
    """What the policy sees: cash, close (N), shares (N), then each indicator (N), N in the order of `tickers`."""

    tickers: tuple[str, ...] = Field(min_length=1, description="Tickers, in the panel's order.")
    indicators: tuple[str, ...] = Field(description="Feature columns, in the order of the observation.")
    size: int = Field(ge=1, description="Length of the observation, 1 + 2 N + N F.")

    @model_validator(mode="after")
    def _size_fits(self) -> "ObservationSchema":
        expected = 1 + len(self.tickers) * (2 + len(self.indicators))
        if self.size != expected:
            raise ValueError(f"size={self.size}, but {len(self.tickers)} tickers and the indicators make {expected}")
        return self


class Normalisation(_Card):
    """``clip((observation - mean) / scale, -limit, limit)``, fitted on the training window alone."""

    mean: tuple[float, ...] = Field(description="Subtracted from the observation.")
    scale: tuple[Annotated[float, Field(gt=0)], ...] = Field(description="The observation is divided by it.")
    limit: float = Field(gt=0, description="Bound of the normalised values.")


class ActionRule(_Card):
    """How an action in [-1, 1] becomes an order; MLOps/market/orders.py does it."""

    kind: Literal["share_orders", "target_weights"] = Field(
        description="Whether an action means shares to trade or target weights, its positive part."
    )
    max_shares_per_order: int | None = Field(
        ge=1, description="Shares that an action of 1 asks for (FinRL's hmax); empty where it means weights."
    )
    is_fractional: bool = Field(description="Order parts of a share; otherwise orders are cut to whole ones.")
    turbulence_threshold: float | None = Field(description="At or above it everything is sold; empty means never.")

    @model_validator(mode="after")
    def _says_how_many_shares(self) -> "ActionRule":
        if (self.kind == "share_orders") != (self.max_shares_per_order is not None):
            raise ValueError("max_shares_per_order belongs to share_orders, and to them alone")
        return self


class Window(_Card):
    """First and last session of a window, both included."""

    first: date
    last: date


class MlpActorCard(_Card):
    """Card of a trained multilayer perceptron."""

    format: Literal[2] = 2
    kind: Literal["mlp_actor"] = "mlp_actor"
    architecture: Architecture
    observation: ObservationSchema
    normalisation: Normalisation
    action: ActionRule
    environment: dict[str, Any] = Field(description="Settings of the environment it was trained in, as a record.")
    windows: dict[Literal["train", "validation", "test"], Window]
    provenance: dict[str, str | int | float | None] = Field(description="Library, algorithm, seed, digests.")

    @model_validator(mode="after")
    def _normalisation_fits(self) -> "MlpActorCard":
        lengths = {len(self.normalisation.mean), len(self.normalisation.scale)}
        if lengths != {self.observation.size}:
            raise ValueError(f"normalisation has lengths {sorted(lengths)}, the observation {self.observation.size}")
        return self

    def layer_shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear layer."""
        sizes = [self.observation.size, *self.architecture.hidden_sizes, len(self.observation.tickers)]
        return list(pairwise(sizes))


class EqualWeightCard(_Card):
    """Card of the policy that buys equal weights and holds; it has no weights file."""

    format: Literal[1] = 1
    kind: Literal["equal_weight"] = "equal_weight"


ModelCard = Annotated[MlpActorCard | EqualWeightCard, Field(discriminator="kind")]
_CARDS: TypeAdapter[MlpActorCard | EqualWeightCard] = TypeAdapter(ModelCard)


def write_model(folder: Path, card: MlpActorCard | EqualWeightCard, weights: Weights | None = None) -> str:
    """Write the card and the weights into `folder`, each whole or not at all; returns the digest."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    if weights is not None:
        with written_whole(folder / POLICY_FILE) as temporary:
            save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, temporary)
    write_text(folder / CARD_FILE, card.model_dump_json(indent=2) + "\n")
    return model_digest(folder)


def write_equal_weight(folder: Path) -> str:
    """Write the model folder of the equal-weight policy; returns its digest."""
    return write_model(folder, EqualWeightCard())


def read_card(folder: Path) -> MlpActorCard | EqualWeightCard:
    """The card of a model folder.

    Raises
    ------
    ModelError
        If there is no card, its kind is not on the allow-list, or a field is missing or malformed.
    """
    path = folder / CARD_FILE
    try:
        return _CARDS.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{folder} holds no {CARD_FILE}", "a model folder", "train a model first") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ModelError(
            f"{path}: {place} {fault['msg']}",
            "kinds mlp_actor (format 2) and equal_weight (format 1)",
            "train it again; a registered one gives up its alias (model_registry/README.md)",
        ) from error


def read_weights(folder: Path, card: MlpActorCard) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Weight (inputs, outputs) and bias (outputs,) of each layer.

    Raises
    ------
    ModelError
        If the file is missing or no safetensors, or a tensor is missing, of another shape or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / POLICY_FILE
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "a safetensors file", "fetch or train it again") from error
    layers = []
    for position, (inputs, outputs) in enumerate(card.layer_shapes()):
        weight = _tensor(tensors, f"layers.{position}.weight", (outputs, inputs), path)
        layers.append((weight.T, _tensor(tensors, f"layers.{position}.bias", (outputs,), path)))
    return layers


def _tensor(
    tensors: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int, ...], path: Path
) -> npt.NDArray[np.float64]:
    if name not in tensors:
        raise ModelError(f"{path} lacks the tensor {name}", f"tensors of {CARD_FILE}'s architecture")
    value = tensors[name].astype(np.float64)
    if value.shape != shape:
        raise ModelError(f"{path}: {name} has shape {value.shape}", f"shape {shape}")
    if not np.isfinite(value).all():
        raise ModelError(f"{path}: {name} holds NaN or infinity", "finite weights", "train the model again")
    return value
