"""A buy-timing graph with weights in int8, by ONNX Runtime's dynamic quantisation.

What a layer takes in is put on one scale for all of a call, as it comes: answers depend on the company in a
batch, so CryptoPredictor asks such a graph one row at a time.
"""

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from MLOps.inference.timing_onnx import MEANS

if TYPE_CHECKING:
    import onnx

_KEPT = (MEANS,)  # one vector, whose rounding would move every value


def int8_timing_onnx(graph: bytes) -> bytes:
    """The graph of timing_onnx.py with a scale for each output of a layer; equal graphs give equal bytes."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it advises a pre-processing that a graph with known shapes does not need
        try:
            quantize_dynamic(
                onnx.load_from_string(graph),
                path,
                weight_type=QuantType.QInt8,
                per_channel=True,
                nodes_to_exclude=list(_KEPT),
            )
        finally:
            logging.disable(level)
        return _labelled(onnx.load(path), onnx.load_from_string(graph))


def _labelled(model: "onnx.ModelProto", original: "onnx.ModelProto") -> bytes:
    """The bytes of the model with the original's metadata, its precision apart."""
    from onnx import helper

    helper.set_model_props(model, {entry.key: entry.value for entry in original.metadata_props} | {"precision": "int8"})
    return bytes(model.SerializeToString(deterministic=True))
