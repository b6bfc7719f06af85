"""The card of a sentiment model: ``model.json``, and what it promises of ``adapter.safetensors``."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from MLOps.errors import ModelError
from MLOps.inference.model_files import CARD_FILE
from MLOps.sentiment.scorer import LABELS


def _as_scored(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of a scorer are read by their place, so that other classes would turn a score's sign."""
    if labels != LABELS:
        raise ValueError(f"is {', '.join(labels)}, not {', '.join(LABELS)}")
    return labels


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
    labels: Annotated[tuple[str, ...], AfterValidator(_as_scored)]
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
_CARDS: TypeAdapter[LoraClassifierCard | VaderCard] = TypeAdapter(SentimentCard)


def read_sentiment_card(folder: Path) -> LoraClassifierCard | VaderCard:
    """The card of a sentiment model.

    Raises
    ------
    ModelError
        If there is none, its kind is not on the allow-list, a field is missing or malformed, or its
        classes are not `LABELS` in their order.
    """
    path = folder / CARD_FILE
    try:
        return _CARDS.validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(f"{folder} holds no {CARD_FILE}", "a sentiment model's folder", "train one first") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ModelError(
            f"{path}: {place} {fault['msg']}",
            "kinds lora_classifier and vader (format 1)",
            "fetch or train it again; a trading agent's registry name is another one (registry.model_name)",
        ) from error
