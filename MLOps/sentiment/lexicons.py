"""Scorers that need no training of their own: two lexicons, and the share of each class."""

from importlib.metadata import version
from pathlib import Path

from MLOps.artifacts import write_text
from MLOps.inference.model_files import CARD_FILE, model_digest
from MLOps.sentiment.model_card import VaderCard

_VADER_PACKAGE = "vaderSentiment"


def write_vader(folder: Path) -> str:
    """Write the model folder of the installed VADER; returns its digest."""
    card = VaderCard(version=version(_VADER_PACKAGE))
    write_text(folder / CARD_FILE, card.model_dump_json(indent=2) + "\n")
    return model_digest(folder)
