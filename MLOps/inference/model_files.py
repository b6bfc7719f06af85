"""The files of a model folder, whatever the model is, and their digest.

``model.json`` is the card: everything but the weights, its `kind` first of all. The weights, where the
model has any, lie in one safetensors file, which holds no code. The same settings, data and seed give
the same bytes of both. Whatever else lies in the folder rides along and is never read.
"""

import hashlib
import json
from pathlib import Path

from MLOps.artifacts import sha256_of
from MLOps.errors import DigestError, ModelError

CARD_FILE = "model.json"
POLICY_FILE = "policy.safetensors"
ADAPTER_FILE = "adapter.safetensors"
MODEL_FILES = (CARD_FILE, POLICY_FILE, ADAPTER_FILE)
"""All names that a model's file may have. The digest takes them in this order, so that a new one comes last."""


def model_digest(folder: Path) -> str:
    """Sha256 over the digests of ``model.json`` and of those other `MODEL_FILES` that the folder holds.

    Raises
    ------
    DataError
        If the folder holds no ``model.json``.
    """
    names = [name for name in MODEL_FILES if name == CARD_FILE or (folder / name).exists()]
    listing = "".join(f"{name} {sha256_of(folder / name)}\n" for name in names)
    return hashlib.sha256(listing.encode()).hexdigest()


def weights_digest(folder: Path) -> str:
    """What the model has learned: sha256 over its files of weights; of one without weights, its `model_digest`.

    A card tells dates too, so that the same weights lie under another `model_digest` where a window was moved.
    """
    sums = [sha256_of(folder / name) for name in (POLICY_FILE, ADAPTER_FILE) if (folder / name).exists()]
    return hashlib.sha256("".join(sums).encode()).hexdigest() if sums else model_digest(folder)


def check_digest(folder: Path, expected: str) -> None:
    """Raise DigestError unless the folder's digest is `expected`."""
    found = model_digest(folder)
    if found != expected:
        raise DigestError(f"model {folder} has digest {found[:16]}", f"{expected[:16]}", "fetch the model again")


def card_kind(folder: Path) -> str:
    """What kind of model the card says that it is; the rest of the card is not looked at.

    Raises
    ------
    ModelError
        If there is no card, or it names no kind.
    """
    path = folder / CARD_FILE
    try:
        card = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{folder} holds no {CARD_FILE}", "a model folder", "train a model first") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no JSON: {error}", "a model's card", "fetch or train it again") from error
    kind = card.get("kind") if isinstance(card, dict) else None
    if not isinstance(kind, str):
        raise ModelError(f"{path} names no kind", "a model's card", "fetch or train it again")
    return kind
