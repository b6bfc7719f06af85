"""The delivery folder of export_crypto_model as something that answers: its network, digest and word checked."""

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployment.serving.answers import ModelInfo
from deployment.serving.served_model import Origin, ServedModel, named
from MLOps.errors import DigestError, ModelError
from MLOps.inference.delivery_sums import NETWORK_FILE, SETTINGS_FILE, SUMS_FILE, read_sums
from MLOps.inference.predictor import CryptoPredictor, PredictorError

_LOOKS = 3
_METADATA = "what export_crypto_model writes into it"
_MEND = "export the model again"


def is_delivery(folder: Path) -> bool:
    """Whether a folder looks like a delivery: it holds a network, and the digests of its files."""
    return (folder / NETWORK_FILE).is_file() and (folder / SUMS_FILE).is_file()


class _Told(BaseModel):
    """What a network's metadata say of the model that it was made of; each is a text there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["rainbow_timing"]
    model_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    window_size: int = Field(ge=2)
    observation_size: int
    symbol: str = Field(min_length=1)
    frequency: str = Field(min_length=1)
    cycle_steps: int = Field(ge=2)


def load_delivery(folder: Path, origin: Origin, threads: int) -> ServedModel:
    """Open the float32 network of a delivery; its name tells the digest of the model that it was made of.

    Raises
    ------
    DigestError
        If network or settings are not those in ``SHA256SUMS``; then nothing of them is parsed.
    ModelError
        If it is no buy-timing network, what it tells of itself is incomplete or contradicts itself or the settings, or
        its values are not finite.
    """
    sums = read_sums(folder)
    content = _promised(folder, NETWORK_FILE)
    try:
        network = CryptoPredictor.from_bytes(content, threads=threads)
        network.q_values(np.zeros((2, network.obs_dim), dtype=np.float32))
    except PredictorError as error:
        raise ModelError(f"{folder}: {error}", mend=_MEND) from error
    told = _told(folder, network)
    _check_settings(folder, told, sums)
    return named(
        ModelInfo(
            name=origin.name,
            version=None,
            digest=told.model_digest,
            alias=None,
            kind=told.kind,
            observation_size=network.obs_dim,
            window_size=told.window_size,
            symbol=told.symbol,
            frequency=told.frequency,
            cycle_steps=told.cycle_steps,
            trained_at=None,
        ),
        network,
    )


def _told(folder: Path, network: CryptoPredictor) -> _Told:
    """The metadata of a network, which agree with its width."""
    try:
        told = _Told.model_validate(network.metadata)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ModelError(f"{folder / NETWORK_FILE} tells of itself {faults}", _METADATA, _MEND) from error
    if not told.window_size + 2 == told.observation_size == network.obs_dim:
        raise ModelError(
            f"{folder / NETWORK_FILE} tells window_size={told.window_size}, observation_size={told.observation_size}, "
            f"and takes {network.obs_dim} numbers",
            "window_size + 2 numbers",
            _MEND,
        )
    return told


def _check_settings(folder: Path, told: _Told, sums: dict[str, frozenset[str]]) -> None:
    """Raise ModelError where ``settings.json`` says other than the network beside it.

    Nothing is said while an export replaces both, or where one was killed at that: then they may be of two models.
    """
    is_settled = all(len(digests) == 1 for digests in sums.values())
    try:
        content = _promised(folder, SETTINGS_FILE)
        if not is_settled or read_sums(folder) != sums:
            return
        settings = json.loads(content)
        of_observation, of_market = settings["observation"], settings["market"]
        found = {name: settings[name] for name in ("kind", "model_digest")}
        found |= {"window_size": of_observation["window_size"], "observation_size": of_observation["size"]}
        found |= {name: of_market[name] for name in ("symbol", "frequency", "cycle_steps")}
    except (OSError, ValueError, RecursionError, LookupError, TypeError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise ModelError(f"{folder / SETTINGS_FILE} cannot be read ({fault})", "as it was made", _MEND) from error
    expected = told.model_dump()
    if other := [name for name in expected if found[name] != expected[name]]:
        differ = ", ".join(f"{name}={found[name]!r}" for name in other)
        allowed = ", ".join(f"{name}={expected[name]!r}" for name in other)
        raise ModelError(f"{folder / SETTINGS_FILE} says {differ}", f"what {NETWORK_FILE} says: {allowed}", _MEND)


def _promised(folder: Path, file: str) -> bytes:
    """Content of a file, which is what ``SHA256SUMS`` promises; looked at again where an export replaces both."""
    for _ in range(_LOOKS):
        promised = read_sums(folder)
        content = (folder / file).read_bytes()
        if hashlib.sha256(content).hexdigest() in promised.get(file, ()):
            return content
        if read_sums(folder) == promised:
            break
    raise DigestError(f"{folder / file} is not what {SUMS_FILE} promises", "the file as it was made", _MEND)
