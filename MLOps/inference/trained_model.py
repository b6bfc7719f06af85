"""What a folder of a buy-timing model tells a person: coin, digest, and how it was trained; a delivery's folder too.

For log lines alone: nothing here is checked against digests, and nothing is decided by it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from MLOps.inference.delivery_sums import SETTINGS_FILE
from MLOps.inference.model_files import CARD_FILE


@dataclass(frozen=True)
class TrainedModel:
    """A trained model in words.

    Attributes
    ----------
    symbol : str
        Its coin.
    digest : str
        Of the model that a delivery was made of; empty where the folder does not tell it.
    training : str
        `told_training` of it.
    """

    symbol: str
    digest: str
    training: str


def told_training(provenance: Mapping[str, Any]) -> str:
    """The budget that was used, and the seed: ``6,400 frames, seed 777``."""
    frames, seed = provenance.get("frames"), provenance.get("seed")
    told = [
        *([f"{frames:,} frames"] if isinstance(frames, int) else []),
        *(["stopped early"] if provenance.get("stopped_early") is True else []),
        *([f"seed {seed}"] if isinstance(seed, int) else []),
    ]
    return ", ".join(told) or "training not told"


def written_at(path: Path) -> str:
    """When a file was last written, to the minute: ``2026-11-30 10:03 UTC``."""
    return f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d %H:%M} UTC"


def read_trained_model(folder: Path) -> TrainedModel | None:
    """What a model folder or a delivery tells; None where there is none, or one without a network."""
    is_delivery = (folder / SETTINGS_FILE).is_file()
    try:
        told = json.loads((folder / (SETTINGS_FILE if is_delivery else CARD_FILE)).read_bytes())
        return TrainedModel(
            symbol=str(told["market"]["symbol"]),
            digest=str(told.get("model_digest", "")),
            training=told_training(told["provenance"]),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
