"""The delivery folder of export_crypto_model as something that answers: its network alone, its digest checked."""

import hashlib
import re
from pathlib import Path

import numpy as np

from deployment.serving.answers import ModelInfo
from deployment.serving.served_model import Origin, ServedModel, named
from MLOps.errors import DigestError, ModelError
from MLOps.inference.predictor import CryptoPredictor, ModelFileError

NETWORK, _SUMS = "model.onnx", "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def is_delivery(folder: Path) -> bool:
    """Whether a folder looks like a delivery: it holds a network, and the digests of its files."""
    return (folder / NETWORK).is_file() and (folder / _SUMS).is_file()


def load_delivery(folder: Path, origin: Origin, threads: int) -> ServedModel:
    """Open the float32 network of a delivery; its name tells the digest of the model that it was made of.

    Raises
    ------
    DigestError
        If the network is not the one in ``SHA256SUMS``; then nothing of it is parsed.
    ModelError
        If it is no buy-timing network.
    """
    content = (folder / NETWORK).read_bytes()
    if hashlib.sha256(content).hexdigest() != _promised(folder):
        raise DigestError(
            f"{folder / NETWORK} is not what {_SUMS} promises", "the file as it was made", "export it again"
        )
    try:
        network = CryptoPredictor.from_bytes(content, threads=threads)
    except ModelFileError as error:
        raise ModelError(f"{folder}: {error}", mend="export the model again") from error
    network.q_values(np.zeros((2, network.obs_dim), dtype=np.float32))
    told = network.metadata
    return named(
        ModelInfo(
            name=origin.name,
            version=None,
            digest=told["model_digest"],
            alias=None,
            kind=told["kind"],
            observation_size=network.obs_dim,
            window_size=int(told["window_size"]),
            symbol=told["symbol"],
            frequency=told["frequency"],
            cycle_steps=int(told["cycle_steps"]),
            trained_at=None,
        ),
        network,
    )


def _promised(folder: Path) -> str:
    lines = (folder / _SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    sums = {match[2]: match[1] for line in lines if (match := _LINE.fullmatch(line))}
    return sums.get(NETWORK, "")
