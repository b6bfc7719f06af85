"""The delivery folder of export_crypto_model as something that answers: its network alone, its digest checked."""

import hashlib
from pathlib import Path

import numpy as np

from deployment.serving.answers import ModelInfo
from deployment.serving.served_model import Origin, ServedModel, named
from MLOps.errors import DigestError, ModelError
from MLOps.inference.delivery_sums import NETWORK_FILE, SUMS_FILE, read_sums
from MLOps.inference.predictor import CryptoPredictor, ModelFileError

_LOOKS = 3


def is_delivery(folder: Path) -> bool:
    """Whether a folder looks like a delivery: it holds a network, and the digests of its files."""
    return (folder / NETWORK_FILE).is_file() and (folder / SUMS_FILE).is_file()


def load_delivery(folder: Path, origin: Origin, threads: int) -> ServedModel:
    """Open the float32 network of a delivery; its name tells the digest of the model that it was made of.

    Raises
    ------
    DigestError
        If the network is not the one in ``SHA256SUMS``; then nothing of it is parsed.
    ModelError
        If it is no buy-timing network.
    """
    content = _promised(folder, NETWORK_FILE)
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


def _promised(folder: Path, file: str) -> bytes:
    """Content of a file, which is what ``SHA256SUMS`` promises; looked at again where an export replaces both."""
    for _ in range(_LOOKS):
        promised = read_sums(folder)
        content = (folder / file).read_bytes()
        if hashlib.sha256(content).hexdigest() in promised.get(file, ()):
            return content
        if read_sums(folder) == promised:
            break
    raise DigestError(f"{folder / file} is not what {SUMS_FILE} promises", "the file as it was made", "export it again")
