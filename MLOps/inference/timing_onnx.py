"""A buy-timing network as an ONNX graph, built from its card and weights: torch is not asked.

Value and advantage streams share two layers: their hidden units lie side by side, and what comes of them
is linear, so that `value + advantage - mean of advantage` is one layer too. A call is a few large products
instead of a dozen small ones. Equal cards and weights give equal bytes.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MLOps.errors import ModelError
from MLOps.inference.model_files import check_digest
from MLOps.inference.timing_model import (
    ACTIONS,
    Float32Array,
    RainbowTimingCard,
    Weights,
    read_timing_card,
    read_timing_weights,
)

if TYPE_CHECKING:
    import onnx

OPSET = 17
"""Known to ONNX Runtime since 1.12 and to TensorRT 8.6 and later."""
IR_VERSION = 8
INPUT, OUTPUT = "observations", "q_values"
MEANS = "means"
"""The node that takes the mean over the atoms."""


def timing_onnx_of_folder(folder: Path, expected_digest: str) -> bytes:
    """The graph of a model folder, serialised.

    Raises
    ------
    DigestError
        If the folder is not what the digest promises.
    ModelError
        If the card or the weights are malformed, or the model has no network.
    """
    check_digest(folder, expected_digest)
    card = read_timing_card(folder)
    if not isinstance(card, RainbowTimingCard):
        raise ModelError(
            f"{folder} is of the kind {card.kind}, which has no network to export",
            RainbowTimingCard.model_fields["kind"].default,
            "train_rainbow, then the alias or version of what it registered",
        )
    return timing_onnx(card, read_timing_weights(folder, card), expected_digest)


def timing_onnx(card: RainbowTimingCard, weights: Weights, model_digest: str) -> bytes:
    """The graph: `observations` (batch, size) float32 in, `q_values` (batch, 2) float32 out, any batch.

    Its metadata tell kind, opset, observation, market, and the digest of the model folder.
    """
    from onnx import checker

    model = _model(card, weights, model_digest)
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _model(card: RainbowTimingCard, weights: Weights, model_digest: str) -> "onnx.ModelProto":
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[onnx.NodeProto] = []
    constants: dict[str, Any] = {}
    layers, values = _layers(card, weights), INPUT
    for position, (name, (weight, bias)) in enumerate(layers.items()):
        constants |= {f"{name}.weight": weight, f"{name}.bias": bias}
        taken, is_last = [values, f"{name}.weight", f"{name}.bias"], position == len(layers) - 1
        nodes.append(helper.make_node("Gemm", taken, [name], name=name, transB=1))
        values = name if is_last else f"{name}.relu"
        if not is_last:
            nodes.append(helper.make_node("Relu", [name], [values], name=values))
    more_nodes, more_constants = _head(card, values)
    graph = helper.make_graph(
        nodes + more_nodes,
        "buy_timing",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", card.observation.size])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", ACTIONS])],
        [numpy_helper.from_array(value, name) for name, value in (constants | more_constants).items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="timing_onnx"
    )
    helper.set_model_props(model, _metadata(card, model_digest))
    return model


def _layers(card: RainbowTimingCard, weights: Weights) -> dict[str, tuple[Float32Array, Float32Array]]:
    """Weight (outputs, inputs) and bias of each layer: the trunk, both streams' hidden units, both outputs."""
    names = [f"trunk.{position}" for position in range(len(card.architecture.hidden_sizes))]
    layers = {name: (weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in names}
    if not card.architecture.is_dueling:
        for name in ("advantage.hidden", "advantage.out"):
            layers[name] = (weights[f"{name}.weight"], weights[f"{name}.bias"])
        return layers
    layers["streams.hidden"] = (
        np.concatenate([weights["value.hidden.weight"], weights["advantage.hidden.weight"]]),
        np.concatenate([weights["value.hidden.bias"], weights["advantage.hidden.bias"]]),
    )
    layers["streams.out"] = (
        _joined(weights["value.out.weight"], weights["advantage.out.weight"]),
        _joined(weights["value.out.bias"][:, None], weights["advantage.out.bias"][:, None]).sum(axis=1),
    )
    return layers


def _joined(value: Float32Array, advantage: Float32Array) -> Float32Array:
    """(actions * atoms, V + A): `value` (atoms, V) for each action, beside `advantage` (actions * atoms, A) centred."""
    of_actions = advantage.astype(np.float64).reshape(ACTIONS, -1, advantage.shape[1])
    centred = of_actions - of_actions.mean(axis=0)
    joined = np.concatenate([np.tile(value, (ACTIONS, 1)), centred.reshape(advantage.shape)], axis=1)
    return joined.astype(np.float32)


def _head(card: RainbowTimingCard, logits: str) -> tuple[list["onnx.NodeProto"], dict[str, Any]]:
    """Nodes and constants from the last layer, (batch, actions * atoms), to the values of the actions."""
    from onnx import helper

    network = card.architecture
    if not network.is_categorical:
        return [helper.make_node("Identity", [logits], [OUTPUT], name=OUTPUT)], {}
    support = np.linspace(network.v_min, network.v_max, network.atoms, dtype=np.float32)
    constants = {
        "distributions": np.array([-1, network.atoms], dtype=np.int64),  # a row for each action of each observation
        "support": support[:, None],
        "actions": np.array([-1, ACTIONS], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Reshape", [logits, "distributions"], ["logits"], name="logits"),
        helper.make_node("Softmax", ["logits"], ["probabilities"], name="probabilities", axis=-1),
        helper.make_node("MatMul", ["probabilities", "support"], ["means"], name=MEANS),
        helper.make_node("Reshape", ["means", "actions"], [OUTPUT], name=OUTPUT),
    ]
    return nodes, constants


def _metadata(card: RainbowTimingCard, model_digest: str) -> dict[str, str]:
    return {
        "kind": card.kind,
        "format": str(card.format),
        "precision": "float32",
        "opset": str(OPSET),
        "model_digest": model_digest,
        "window_size": str(card.observation.window_size),
        "observation_size": str(card.observation.size),
        "symbol": card.market.symbol,
        "frequency": card.market.frequency,
        "cycle_steps": str(card.market.cycle_steps),
        "fee_bps": repr(card.market.fee_bps),
    }
