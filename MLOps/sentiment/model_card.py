"""The card of a sentiment model: ``model.json``, and what it promises of ``adapter.safetensors``."""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaseModelRecord(_Card):
    """The encoder that the adapter was trained on; another one is refused."""

    name: str = Field(description="How people call it.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of its configuration, tokenizer and weights.")
    origin: str = Field(description="What is known of where it came from.")
    warnings: tuple[str, ...] = Field(description="What a reader of results must know.")


class LoraRecord(_Card):
    """Shape of the adapter."""

    rank: int = Field(ge=1)
    alpha: float = Field(gt=0)
    target_modules: tuple[str, ...] = Field(min_length=1, description="Linear layers that carry an update.")
    first_layer: int = Field(ge=0, description="Encoder layers below it have no update.")


class LoraClassifierCard(_Card):
    """Card of an encoder with LoRA updates and a classification head."""

    format: Literal[1] = 1
    kind: Literal["lora_classifier"] = "lora_classifier"
    base_model: BaseModelRecord
    labels: tuple[str, ...] = Field(min_length=2)
    lora: LoraRecord
    pooling: Literal["mean", "cls"] = Field(description="What of the last layer's states the head sees.")
    max_tokens: int = Field(ge=8, le=8192, description="Longer sentences are cut.")
    temperature: float = Field(gt=0, description="Logits are divided by it; fitted on the validation split.")
    training_groups: tuple[str, ...] = Field(
        description="First 16 hexadecimal digits of the sha256 of each article that was trained or tuned on, sorted."
    )
    provenance: dict[str, str | int | float | None] = Field(description="Seed, digests, figures of the training.")


class VaderCard(_Card):
    """Card of VADER's rules and lexicon; it has no weights file."""

    format: Literal[1] = 1
    kind: Literal["vader"] = "vader"
    version: str = Field(description="Of the package vaderSentiment.")


def group_digest(group: str) -> str:
    """How a card's `training_groups` name an article, which its readers need not know."""
    return hashlib.sha256(group.encode()).hexdigest()[:16]


SentimentCard = Annotated[LoraClassifierCard | VaderCard, Field(discriminator="kind")]
