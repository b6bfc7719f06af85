"""The fine-tuned encoder as an ONNX graph: made here once, held against torch, kept beside its tokenizer.

A graph is never taken from a registry: what scores is always derived from weights whose digest was checked.
"""

import hashlib
import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MLOps.artifacts import sha256_of, write_text
from MLOps.errors import DataError, ModelError
from MLOps.partial_places import partial_place
from MLOps.sentiment.onnx_engine import OnnxClassifier, OnnxModel, Precision

if TYPE_CHECKING:
    from MLOps.sentiment.lora_classifier import LoraClassifier

GRAPH_FILE, HEAD_FILE, TOKENIZER_FILE, PROMISE_FILE = (
    "encoder.onnx",
    "head.safetensors",
    "tokenizer.json",
    "promise.json",
)
MAX_DEVIATION = 1e-4
"""Of a float32 graph's probabilities from torch's."""
_OPSET = 17
GRAPH_PACKAGES = ("onnx", "onnxruntime", "onnxscript", "peft", "tokenizers", "torch", "transformers")
"""Libraries that decide what a graph computes, and what it is fed with."""
_PROBES = (
    "Profits rose sharply, and investors cheered.",
    "The company was fined after a disastrous year of losses, lawsuits and resignations.",
    "The meeting is on Tuesday.",
    "Down 40%!",
    "Ärger in Zürich: “so nicht”, says the board — 株価 😀.",
    "x",
    "Although the outlook had been described as good, " * 40 + "nothing came of it.",
)
"""Short and long, plain and odd, the last one longer than any model reads."""
_LOG = logging.getLogger(__name__)


def cached_onnx(
    model_sha256: str, precision: Precision, load: Callable[[], "LoraClassifier"], cache: Path
) -> OnnxModel:
    """The graph of a model below `cache`, made where it is not there whole.

    Its folder is named after the model's digest and the libraries that made it, so that another model
    or release makes another one. Of two processes that make it at the same time, one's is kept.

    Parameters
    ----------
    model_sha256 : str
        Digest of the model folder.
    precision : str
        ``int8`` quantises the weights, and the states of each call.
    load : callable
        Gives the model in torch; called only where the graph must be made.
    cache : Path
        Folder of all graphs.

    Raises
    ------
    ModelError
        If the encoder cannot be exported, or the float32 graph does not give torch's probabilities.
    """
    found = find_onnx(model_sha256, precision, cache)
    if found is None:
        _LOG.info("making the %s graph of the model %s", precision, model_sha256[:12])
        found = _put(_place(model_sha256, precision, cache), precision, load)
    _LOG.info("the %s graph's probabilities differ from torch's by %.1e at most", precision, found.deviation)
    return found


def find_onnx(model_sha256: str, precision: Precision, cache: Path) -> OnnxModel | None:
    """The graph that `cached_onnx` made; None where it is not there whole, and what is broken is removed."""
    return _whole(_place(model_sha256, precision, cache))


def _place(model_sha256: str, precision: Precision, cache: Path) -> Path:
    releases = hashlib.sha256(json.dumps(_releases()).encode()).hexdigest()[:16]
    return cache / f"{model_sha256}-{precision}-{releases}"


def _releases() -> dict[str, str]:
    return {package: version(package) for package in GRAPH_PACKAGES}


def _put(place: Path, precision: Precision, load: Callable[[], "LoraClassifier"]) -> OnnxModel:
    place.parent.mkdir(parents=True, exist_ok=True)
    with partial_place(place, is_folder=True) as folder:
        deviation = _make_alone(folder, precision, load)
        folder.chmod(0o755)
        try:
            folder.rename(place)
        except OSError:  # another process made it meanwhile: the two are equally good
            if (twin := _whole(place)) is None:
                raise
            return twin
    return _files(place, precision, deviation)


def _whole(place: Path) -> OnnxModel | None:
    """What lies at `place`, if its files are what was promised; what is broken is told and removed.

    Files that cannot be opened just now, for want of descriptors or rights, are not broken: that is raised.
    """
    if not place.is_dir():
        return None
    try:
        promise = json.loads((place / PROMISE_FILE).read_bytes())
        files: Mapping[str, str] = promise["files"]
        if all((place / name).is_file() and sha256_of(place / name) == digest for name, digest in files.items()):
            return _files(place, promise["precision"], float(promise["deviation"]))
    except (FileNotFoundError, DataError, ValueError, KeyError, TypeError, AttributeError):
        pass
    _LOG.warning("%s is not what was cached; making it again", place)
    shutil.rmtree(place, ignore_errors=True)
    return None


def _make_alone(folder: Path, precision: Precision, load: Callable[[], "LoraClassifier"]) -> float:
    """Make the graph on one thread, torch's own threads and generators left as they are; gives its deviation."""
    from MLOps.training.random_state import isolated

    with isolated(seed=0, threads=1):
        model = load()
        with _quiet():
            return _make(folder, precision, model)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporter, optimizer and quantiser say of each step; the outcome is checked instead."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _files(place: Path, precision: Precision, deviation: float) -> OnnxModel:
    return OnnxModel(place / GRAPH_FILE, place / HEAD_FILE, place / TOKENIZER_FILE, precision, deviation)


def _make(folder: Path, precision: Precision, model: "LoraClassifier") -> float:
    from safetensors.torch import save_file

    expected = model.probabilities(_PROBES)
    made = _files(folder, precision, 0.0)
    made.tokenizer.write_text(_fast_tokenizer(model), encoding="utf-8")
    save_file(model.network.head.state_dict(), made.head)
    _export(model, made.graph)
    if precision == "int8":
        _quantise(made.graph)
    found = OnnxClassifier(model.card, made, threads=1).probabilities(_PROBES)
    deviation = float(np.abs(found - expected).max())
    if precision == "float32" and not deviation <= MAX_DEVIATION:
        raise ModelError(
            f"the exported graph's probabilities differ from torch's by {deviation:.1e}",
            f"at most {MAX_DEVIATION:g}",
            "engine.kind=torch",
        )
    promise = {
        "precision": precision,
        "deviation": deviation,
        "made_with": _releases(),
        "files": {path.name: sha256_of(path) for path in (made.graph, made.head, made.tokenizer)},
    }
    write_text(folder / PROMISE_FILE, json.dumps(promise, indent=2) + "\n")
    return deviation


def _fast_tokenizer(model: "LoraClassifier") -> str:
    try:
        backend: Any = model.tokenizer.backend_tokenizer
        return str(backend.to_str())
    except AttributeError as error:
        raise ModelError(
            f"the tokenizer of {model.card.base_model.name} has no fast form", "one that has", "engine.kind=torch"
        ) from error


def _export(model: "LoraClassifier", path: Path) -> None:
    """Write the encoder's graph; onnxruntime fuses what it knows as it opens it; its offline tool gained nothing."""
    import torch

    encoder: Any = model.network.encoder

    class Unpadded(torch.nn.Module):
        """Sentences of one length need no mask."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            states: torch.Tensor = self.encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            return states

    encoder.set_attn_implementation("eager")  # products and a softmax, which every opset has
    ids = model.tokenize(_PROBES[:1]).batch(np.zeros(1, dtype=np.int64))[0]
    try:
        torch.onnx.export(
            Unpadded(),
            (ids.repeat(2, 1),),
            str(path),
            input_names=["ids"],
            output_names=["states"],
            dynamic_axes={"ids": {0: "sentences", 1: "tokens"}, "states": {0: "sentences", 1: "tokens"}},
            opset_version=_OPSET,
            dynamo=False,  # by tracing; what comes out is checked in `_make`
        )
    except Exception as error:  # torch raises many kinds; each means that there will be no graph
        line = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{model.card.base_model.name} cannot be exported ({line})",
            "an encoder that ONNX takes",
            "engine.kind=torch",
        ) from error


def _quantise(path: Path) -> None:
    """Weights to int8, a scale for each output; what a layer takes in is quantised as it comes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    unquantised = path.with_suffix(".float32")
    path.rename(unquantised)
    quantize_dynamic(unquantised, path, weight_type=QuantType.QInt8, per_channel=True)
    unquantised.unlink()
